//! What can be wrong with a cron expression, said alike when a program is compiled and when it runs.

use std::fmt;

/// What is wrong with a cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a cron expression: {}", fault.message(text).as_str())]
pub struct CronError {
    /// The text that was given; of one that is too long, the beginning.
    pub text: String,
    /// What is wrong with it.
    pub fault: CronFault,
}

impl CronError {
    pub(super) fn new(text: &str, fault: CronFault) -> Self {
        let text = match fault {
            CronFault::TooLong => text.chars().take(40).chain(['…']).collect(),
            _ => text.to_owned(),
        };
        Self { text, fault }
    }
}

/// What is wrong with a cron expression, without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CronFault {
    /// It is longer than [`CronFault::LONGEST`].
    TooLong,
    /// It has so many fields, not five or six.
    Fields(usize),
    /// It begins with `@`, and is none of the nicknames.
    Nickname,
    /// A field is wrong.
    Field {
        /// Which.
        field: CronField,
        /// What is wrong with it.
        fault: FieldFault,
        /// Where in the text the wrong item begins, in bytes.
        at: usize,
        /// How long that is, in bytes.
        length: usize,
    },
    /// None of its months has such a day, as in `0 0 30 2 *`.
    Never,
}

/// A field of a cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CronField {
    /// 0 to 59. It is there in the form with six fields.
    Second,
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31, or `L`.
    Day,
    /// 1 to 12, or `JAN` to `DEC`.
    Month,
    /// 0 to 7, both of which are Sunday, or `SUN` to `SAT`.
    Weekday,
}

/// What is wrong with a field of a cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldFault {
    /// An item of its list is empty.
    Empty,
    /// It is no number or name of this field.
    NotANumber,
    /// The number is too small or too large.
    OutOfRange,
    /// A range ends before it begins.
    Backwards,
    /// A step is 0, no number, or wider than the field.
    Step,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
pub(super) const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl CronField {
    /// In the order in which they are written.
    pub(super) const ALL: [Self; 6] = [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Weekday];

    pub(super) const fn lowest(self) -> u32 {
        match self {
            Self::Day | Self::Month => 1,
            _ => 0,
        }
    }

    /// The highest number that `*` stands for.
    pub(super) const fn highest(self) -> u32 {
        match self {
            Self::Second | Self::Minute => 59,
            Self::Hour => 23,
            Self::Day => 31,
            Self::Month => 12,
            Self::Weekday => 6,
        }
    }

    /// The highest number that may be written.
    pub(super) const fn highest_written(self) -> u32 {
        match self {
            Self::Weekday => 7,
            _ => self.highest(),
        }
    }

    /// All of its numbers.
    pub(super) const fn full(self) -> u64 {
        ((1 << (self.highest() + 1)) - 1) & !((1 << self.lowest()) - 1)
    }

    /// The names of its numbers, from the lowest on.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
            _ => &[],
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of the month",
            Self::Month => "month",
            Self::Weekday => "weekday",
        }
    }

    const fn range(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "0 to 59",
            Self::Hour => "0 to 23",
            Self::Day => "1 to 31",
            Self::Month => "1 to 12",
            Self::Weekday => "0 to 7",
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "a number from 0 to 59",
            Self::Hour => "a number from 0 to 23",
            Self::Day => "a number from 1 to 31, or `L` for the last",
            Self::Month => "a number from 1 to 12, or a name such as `JAN`",
            Self::Weekday => "a number from 0 to 7, or a name such as `MON`",
        }
    }

    const fn steps(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "1 to 59",
            Self::Hour => "1 to 23",
            Self::Day => "1 to 30",
            Self::Month => "1 to 11",
            Self::Weekday => "1 to 6",
        }
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl CronFault {
    /// The longest expression, in bytes.
    pub const LONGEST: usize = 256;

    /// The item of the text that is wrong, if it is one that can be shown.
    pub(super) const fn message(self, text: &str) -> Message {
        let message = Message::NEW;
        match self {
            Self::TooLong => message.with("it is longer than 256 bytes"),
            Self::Fields(number) => message
                .with("it has ")
                .with_number(number)
                .with(if number == 1 { " field" } else { " fields" })
                .with(": write five, `minute hour day month weekday`, or six with seconds first"),
            Self::Nickname => {
                message.with("the nicknames are `@yearly`, `@monthly`, `@weekly`, `@daily` and `@hourly`")
            }
            Self::Never => message.with("it never fires: none of its months has such a day"),
            Self::Field { field, fault, at, length } => {
                let message = message.with("the ").with(field.label()).with_item(text, at, length);
                match fault {
                    FieldFault::Empty => message.with(" has an empty item"),
                    FieldFault::NotANumber => message.with(" is not ").with(field.wanted()),
                    FieldFault::OutOfRange => message.with(" is not from ").with(field.range()),
                    FieldFault::Backwards => message.with(" ends before it begins"),
                    FieldFault::Step => message.with(" has a step that is not from ").with(field.steps()),
                }
            }
        }
    }
}

/// A text that can be put together while a program is compiled.
pub(super) struct Message {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl Message {
    const LONGEST: usize = 192;
    const NEW: Self = Self { bytes: [0; Self::LONGEST], length: 0 };

    const fn with(mut self, text: &str) -> Self {
        let (text, mut at) = (text.as_bytes(), 0);
        while at < text.len() && self.length < Self::LONGEST {
            self.bytes[self.length] = text[at];
            (self.length, at) = (self.length + 1, at + 1);
        }
        self
    }

    const fn with_number(self, number: usize) -> Self {
        const DIGITS: &str = "0123456789";
        let rest = if number >= 10 { self.with_number(number / 10) } else { self };
        rest.with(DIGITS.split_at(number % 10).1.split_at(1).0)
    }

    /// The wrong item in quotes, unless it is too long to be shown.
    const fn with_item(self, text: &str, at: usize, length: usize) -> Self {
        if length == 0 || length > 32 {
            return self;
        }
        self.with(" `").with(text.split_at(at).1.split_at(length).0).with("`")
    }

    pub(super) const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}
