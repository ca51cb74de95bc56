//! The table.

use crate::Measured;
use crate::measure::Samples;

pub(crate) fn print(disk: &Samples, durability: &[String; 2], measured: &[Measured]) {
    println!(
        "disk: 4 KiB appended and synced {} times a second ({} to {})",
        number(disk.median()),
        number(disk.least()),
        number(disk.most())
    );
    for (side, said) in ["floor", "evertask"].iter().zip(durability) {
        println!("{side}: {said}");
    }
    println!();
    println!("| median (least to most) | n | floor by hand | evertask | ratio, round by round |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for Measured { case, count, samples: [floor, ours] } in measured {
        for (line, (floor, ours)) in case.lines.iter().zip(floor.iter().zip(ours)) {
            // How much of the floor is reached: 1 is as good, 0.5 half as good.
            let ratio = if line.more_is_better { ours.of(floor) } else { floor.of(ours) };
            let ratio = format!("{:.2} ({:.2} to {:.2})", ratio.median(), ratio.least(), ratio.most());
            let (floor, ours) = (cell(floor), cell(ours));
            println!("| {} [{}] | {} | {floor} | {ours} | {ratio} |", line.name, line.unit, whole(*count));
        }
    }
    let of = |name: &str| measured.iter().find(|measured| measured.case.name == name);
    if let (Some(few), Some(many)) = (of("drain-short").or_else(|| of("drain")), of("drain-long")) {
        let [floor, ours] = [0, 1].map(|side: usize| many.samples[side][0].of(&few.samples[side][0]).median());
        let (many, few) = (whole(many.count), whole(few.count));
        println!(
            "\nflatness: the drain of {many} has the rate of the drain of {few} times {ours:.2} (floor: {floor:.2})"
        );
    }
}

fn cell(samples: &Samples) -> String {
    format!("{} ({} to {})", number(samples.median()), number(samples.least()), number(samples.most()))
}

fn number(value: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    if value >= 1_000.0 {
        whole(value.round() as usize)
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

/// With a comma at each thousand.
fn whole(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
