//! The one parser of cron expressions, for those in the program and for those that come later.

use super::fault::{CronFault, CronField, FieldFault};
use super::{Cron, has};

/// An expression known at compile time: a mistake in it is a compile error at the caller.
///
/// # Panics
/// At compile time, for text that is no cron expression.
#[track_caller]
pub const fn checked(text: &str) -> Cron {
    match parse(text) {
        Ok(cron) => cron,
        Err(fault) => refuse(text, fault),
    }
}

#[track_caller]
const fn refuse(text: &str, fault: CronFault) -> ! {
    let message = fault.message(text);
    panic!("{}", message.as_str())
}

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Where a word begins, and where it has ended.
type Word = (usize, usize);

pub(super) const fn parse(text: &str) -> Result<Cron, CronFault> {
    let bytes = text.as_bytes();
    if bytes.len() > CronFault::LONGEST {
        return Err(CronFault::TooLong);
    }
    let (words, number) = words(bytes);
    if number == 1 && bytes[words[0].0] == b'@' {
        let mut at = 0;
        while at < NICKNAMES.len() {
            if same(bytes, words[0], NICKNAMES[at].0) {
                return parse(NICKNAMES[at].1);
            }
            at += 1;
        }
        return Err(CronFault::Nickname);
    }
    if number != 5 && number != 6 {
        return Err(CronFault::Fields(number));
    }
    let missing = 6 - number;
    let (mut sets, mut field) = ([1; 6], missing);
    while field < 6 {
        match read_field(bytes, words[field - missing], CronField::ALL[field]) {
            Ok(set) => sets[field] = set,
            Err(fault) => return Err(fault),
        }
        field += 1;
    }
    let [seconds, minutes, hours, mut days, months, weekdays] = sets;
    if days & CronField::Day.full() == CronField::Day.full() {
        days = CronField::Day.full();
    }
    let cron = Cron { seconds, minutes, hours, days, months, weekdays };
    if fires(&cron) { Ok(cron) } else { Err(CronFault::Never) }
}

/// The first six words, and how many there are.
const fn words(bytes: &[u8]) -> ([Word; 6], usize) {
    let (mut words, mut number, mut at) = ([(0, 0); 6], 0, 0);
    while at < bytes.len() {
        if is_blank(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && !is_blank(bytes[at]) {
            at += 1;
        }
        if number < words.len() {
            words[number] = (start, at);
        }
        number += 1;
    }
    (words, number)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether one of its months has one of its days.
const fn fires(cron: &Cron) -> bool {
    if cron.weekdays_restricted() || has(cron.days, 0) {
        return true;
    }
    let mut month = 1;
    while month <= 12 {
        let longest = match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if has(cron.months, month) && cron.days.trailing_zeros() <= longest {
            return true;
        }
        month += 1;
    }
    false
}

/// A list of items.
const fn read_field(bytes: &[u8], (start, end): Word, field: CronField) -> Result<u64, CronFault> {
    let (mut set, mut at) = (0, start);
    loop {
        let item = at;
        while at < end && bytes[at] != b',' {
            at += 1;
        }
        match read_item(bytes, (item, at), field) {
            Ok(numbers) => set |= numbers,
            Err(fault) => return Err(CronFault::Field { field, fault, at: item, length: at - item }),
        }
        if at == end {
            return Ok(set);
        }
        at += 1;
    }
}

/// `*`, `5`, `1-5`, any of these with a step, or `L`.
const fn read_item(bytes: &[u8], (start, end): Word, field: CronField) -> Result<u64, FieldFault> {
    if start == end {
        return Err(FieldFault::Empty);
    }
    if matches!(field, CronField::Day) && same(bytes, (start, end), "L") {
        return Ok(1);
    }
    let slash = find(bytes, (start, end), b'/');
    let dash = find(bytes, (start, slash), b'-');
    let (first, mut last) = if same(bytes, (start, slash), "*") {
        (field.lowest(), field.highest())
    } else {
        let first = match read_number(bytes, (start, dash), field) {
            Ok(number) => number,
            Err(fault) => return Err(fault),
        };
        if dash < slash {
            match read_number(bytes, (dash + 1, slash), field) {
                Ok(last) => (first, last),
                Err(fault) => return Err(fault),
            }
        } else if slash < end {
            (first, if first > field.highest() { first } else { field.highest() })
        } else {
            (first, first)
        }
    };
    // Until Sunday, which ends the week here.
    if matches!(field, CronField::Weekday) && last == 0 && first > 0 && dash < slash {
        last = 7;
    }
    if last < first {
        return Err(FieldFault::Backwards);
    }
    let step = if slash < end {
        match number(bytes, (slash + 1, end)) {
            Some(step) if step >= 1 && step <= field.highest() - field.lowest() => step,
            _ => return Err(FieldFault::Step),
        }
    } else {
        1
    };
    let (mut set, mut at) = (0, first);
    while at <= last {
        set |= 1_u64 << if matches!(field, CronField::Weekday) { at % 7 } else { at };
        at += step;
    }
    Ok(set)
}

/// A number or a name of this field.
const fn read_number(bytes: &[u8], word: Word, field: CronField) -> Result<u32, FieldFault> {
    let (mut at, mut value) = (0, field.lowest());
    while at < field.names().len() {
        if same(bytes, word, field.names()[at]) {
            return Ok(value);
        }
        (at, value) = (at + 1, value + 1);
    }
    match number(bytes, word) {
        Some(number) if number >= field.lowest() && number <= field.highest_written() => Ok(number),
        Some(_) => Err(FieldFault::OutOfRange),
        None => Err(FieldFault::NotANumber),
    }
}

/// A whole number; every large one is the same, for it is too large.
const fn number(bytes: &[u8], (start, end): Word) -> Option<u32> {
    let (mut at, mut number) = (start, 0_u32);
    while at < end {
        if !bytes[at].is_ascii_digit() {
            return None;
        }
        number = number.saturating_mul(10).saturating_add((bytes[at] - b'0') as u32);
        at += 1;
    }
    if start == end { None } else { Some(number) }
}

/// Where this byte is first, or the end.
const fn find(bytes: &[u8], (start, end): Word, byte: u8) -> usize {
    let mut at = start;
    while at < end && bytes[at] != byte {
        at += 1;
    }
    at
}

const fn same(bytes: &[u8], (start, end): Word, word: &str) -> bool {
    let word = word.as_bytes();
    if end - start != word.len() {
        return false;
    }
    let mut at = 0;
    while at < word.len() {
        if !bytes[start + at].eq_ignore_ascii_case(&word[at]) {
            return false;
        }
        at += 1;
    }
    true
}
