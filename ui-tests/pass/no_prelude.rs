//! Nothing is taken for granted: no prelude, no names in scope, `unsafe` forbidden, and the context under another name.
#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings)]

extern crate evertask;
extern crate serde;
extern crate std;

mod jobs {
    use ::evertask::Context as Cx;
    use ::evertask::prelude::task;
    use ::evertask::workflow;
    use ::std::result::Result::{self, Ok};
    use ::std::string::String;

    #[task(on_ok => shout, timeout = "1m30s", retry(times = 2))]
    pub(crate) async fn greet(name: String, cx: &Cx) -> Result<String, String> {
        cx.log("greeting");
        Ok(name)
    }

    #[task]
    pub(crate) fn shout(name: String) -> Result<(), String> {
        ::std::mem::drop(name);
        Ok(())
    }

    workflow! {
        pub(crate) Welcome<String -> String> {
            greet {
                on_ok(name) => [done(::std::clone::Clone::clone(&name)), shout],
                on_failure(f) => fail(f),
            }
        }
    }
}

fn main() {
    ::std::assert_eq!(<jobs::Welcome as ::evertask::Work>::NAME, "Welcome");
    ::std::assert_eq!(<jobs::greet as ::evertask::Task>::entry().edges.len(), 1);
}
