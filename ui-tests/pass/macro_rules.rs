//! Written by another macro.
#![deny(warnings)]

use evertask::{prelude::*, workflow};

macro_rules! job {
    ($name:ident, $argument:ident: $of:ty, $then:path) => {
        #[task(on_ok => $then)]
        async fn $name($argument: $of) -> Result<$of, String> {
            Ok($argument)
        }
    };
}

macro_rules! twice {
    ($name:ident, $of:ty, $step:ident, $output:ident => $value:expr) => {
        workflow! {
            $name<$of -> $of> {
                $step { on_ok($output) => again { number: $value } }
                again = $step { on_ok => done, on_err => fail }
            }
        }
    };
}

#[task]
fn show(number: u32) -> Result<(), String> {
    Err(number.to_string())
}

job!(double, number: u32, show);
twice!(Twice, u32, double, output => output + 1);

fn main() {
    assert_eq!(<Twice as Work>::NAME, "Twice");
    assert_eq!(double::entry().edges.len(), 1);
}
