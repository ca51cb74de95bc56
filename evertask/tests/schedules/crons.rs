//! The text of cron expressions.

use evertask::{Cron, CronFault, CronField, FieldFault};
use proptest::prelude::*;

#[test]
fn each_meaning_has_one_text() {
    for (written, canonical) in [
        ("* * * * *", "* * * * *"),
        ("0 3 * * *", "0 3 * * *"),
        ("00 03 01 01 *", "0 3 1 1 *"),
        ("  0\t3  * * * ", "0 3 * * *"),
        ("0 0 3 * * *", "0 3 * * *"),
        ("*/10 0 3 * * *", "*/10 0 3 * * *"),
        ("0-59 0-23 1-31 1-12 0-7", "* * * * *"),
        ("*/15 9-17 * * MON-FRI", "*/15 9-17 * * 1-5"),
        ("5,4,3,10,12 * * * *", "3-5,10,12 * * * *"),
        ("40/5 * * * *", "40,45,50,55 * * * *"),
        ("0 8-18/2 * * *", "0 8,10,12,14,16,18 * * *"),
        ("0 0 * jan,Feb,MAR *", "0 0 * 1-3 *"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * SAT-SUN", "0 0 * * 0,6"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 * * fri-sun", "0 0 * * 0,5,6"),
        ("0 0 * * */2", "0 0 * * */2"),
        ("0 0 L * *", "0 0 L * *"),
        ("0 0 l,15 * *", "0 0 15,L * *"),
        ("0 0 L,* * *", "0 0 * * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@Weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ] {
        let cron: Cron = written.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(cron.to_string(), canonical, "{written}");
        assert_eq!(canonical.parse::<Cron>().as_ref(), Ok(&cron), "{written}");
        let stored = serde_json::to_string(&cron).expect("it is a text");
        assert_eq!(stored, format!("\"{canonical}\""));
        assert_eq!(serde_json::from_str::<Cron>(&stored).expect("it was stored"), cron);
    }
}

#[test]
fn says_what_is_wrong_and_where() {
    for (text, why) in [
        ("", "it has 0 fields: write five, `minute hour day month weekday`, or six with seconds first"),
        ("5", "it has 1 field: write five, `minute hour day month weekday`, or six with seconds first"),
        ("* * * *", "it has 4 fields: write five, `minute hour day month weekday`, or six with seconds first"),
        (
            "1 2 3 4 5 6 7 8 9 10 11 12",
            "it has 12 fields: write five, `minute hour day month weekday`, or six with seconds first",
        ),
        ("60 * * * *", "the minute `60` is not from 0 to 59"),
        ("99999999999999999999 * * * *", "the minute `99999999999999999999` is not from 0 to 59"),
        ("61 0 0 * * *", "the second `61` is not from 0 to 59"),
        ("0 24 * * *", "the hour `24` is not from 0 to 23"),
        ("0 0 0 * *", "the day of the month `0` is not from 1 to 31"),
        ("0 0 32 * *", "the day of the month `32` is not from 1 to 31"),
        ("0 0 * 13 *", "the month `13` is not from 1 to 12"),
        ("0 0 * * 8", "the weekday `8` is not from 0 to 7"),
        ("0 three * * *", "the hour `three` is not a number from 0 to 23"),
        ("0 -1 * * *", "the hour `-1` is not a number from 0 to 23"),
        ("0 1- * * *", "the hour `1-` is not a number from 0 to 23"),
        ("0 +1 * * *", "the hour `+1` is not a number from 0 to 23"),
        ("0 0 * JANUARY *", "the month `JANUARY` is not a number from 1 to 12, or a name such as `JAN`"),
        ("0 0 * * MONDAY", "the weekday `MONDAY` is not a number from 0 to 7, or a name such as `MON`"),
        ("0 0 ? * *", "the day of the month `?` is not a number from 1 to 31, or `L` for the last"),
        ("0 0 L-3 * *", "the day of the month `L-3` is not a number from 1 to 31, or `L` for the last"),
        ("0 17-9 * * *", "the hour `17-9` ends before it begins"),
        ("0 0 * * FRI-MON", "the weekday `FRI-MON` ends before it begins"),
        ("*/0 * * * *", "the minute `*/0` has a step that is not from 1 to 59"),
        ("*/90 * * * *", "the minute `*/90` has a step that is not from 1 to 59"),
        ("0 */x * * *", "the hour `*/x` has a step that is not from 1 to 23"),
        ("0 */ * * *", "the hour `*/` has a step that is not from 1 to 23"),
        ("1,,2 * * * *", "the minute has an empty item"),
        ("0 1, * * *", "the hour has an empty item"),
        ("@dialy", "the nicknames are `@yearly`, `@monthly`, `@weekly`, `@daily` and `@hourly`"),
        ("0 0 30 2 *", "it never fires: none of its months has such a day"),
        ("0 0 31 2,4,6,9,11 *", "it never fires: none of its months has such a day"),
    ] {
        let error = text.parse::<Cron>().expect_err(text);
        assert_eq!(error.to_string(), format!("`{text}` is not a cron expression: {why}"));
    }
    let error = "*".repeat(70_000).parse::<Cron>().expect_err("it is long");
    assert_eq!((error.fault, error.text.chars().count()), (CronFault::TooLong, 41));
    let fault = CronFault::Field { field: CronField::Hour, fault: FieldFault::OutOfRange, at: 4, length: 2 };
    assert_eq!(Cron::parse("0 1,24 * * *"), Err(fault));
}

#[test]
fn what_fires_now_and_then_is_no_mistake() {
    for text in ["0 0 29 2 *", "0 0 31 2,3 *", "0 0 30 2 MON", "0 0 L 2 *", "0 0 31 * *"] {
        assert!(text.parse::<Cron>().is_ok(), "{text}");
    }
}

fn field(lowest: u32, highest: u32) -> impl Strategy<Value = String> {
    // Sunday is 7 as well as 0, which makes no step wider.
    let steps = if highest == 7 { 6 } else { highest - lowest };
    let item = (lowest..=highest, lowest..=highest, 1..=steps, 0..6).prop_map(move |(one, other, step, form)| {
        let (first, last) = (one.min(other), one.max(other));
        match form {
            0 => "*".to_owned(),
            1 => format!("{first}-{last}"),
            2 => format!("{first}-{last}/{step}"),
            3 => format!("*/{step}"),
            4 => format!("{one}/{step}"),
            _ => one.to_string(),
        }
    });
    proptest::collection::vec(item, 1..4).prop_map(|items| items.join(","))
}

fn rounds(default: u32) -> ProptestConfig {
    let cases = std::env::var("EVERTASK_ROUNDS").map_or(default, |rounds| rounds.parse().expect("a number of rounds"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(rounds(2_000))]

    #[test]
    fn what_is_printed_reads_back_as_the_same(
        second in proptest::option::of(field(0, 59)),
        rest in (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)),
    ) {
        let (minute, hour, day, month, weekday) = rest;
        let five = format!("{minute} {hour} {day} {month} {weekday}");
        let text = second.map_or_else(|| five.clone(), |second| format!("{second} {five}"));
        let read = text.parse::<Cron>();
        if let Ok(cron) = &read {
            let printed = cron.to_string();
            prop_assert_eq!(&printed.parse::<Cron>(), &read, "{} is {}", text, printed);
        } else {
            prop_assert_eq!(Cron::parse(&text), Err(CronFault::Never));
        }
    }

    #[test]
    fn no_text_is_too_much(text in any::<String>()) {
        prop_assert!(text.parse::<Cron>().map_or_else(|error| error.to_string().len() > 20, |_| true));
    }

    #[test]
    fn no_text_of_such_letters_is_too_much(text in "[@*/,0-9LMONJAö \t-]{0,40}") {
        prop_assert!(text.parse::<Cron>().map_or_else(|error| error.to_string().len() > 20, |_| true));
    }

    #[test]
    fn no_long_text_is_too_much(text in "[ -~]{0,200}", times in 1..400_usize) {
        let text = text.repeat(times);
        prop_assert!(text.parse::<Cron>().map_or_else(|error| error.to_string().len() < 1_000, |_| true));
    }
}
