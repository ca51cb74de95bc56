//! "Did you mean ..?"

/// The known word that `word` is most likely a slip of.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance > 0 && *distance <= allowed(word.len().max(candidate.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A slip in a short word is one letter, in a long one up to three.
fn allowed(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    }
}

/// How many letters must be inserted, dropped, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut next = vec![i];
        for j in 1..=to.len() {
            let replaced = row[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips() {
        let known = ["name", "queue", "priority", "timeout", "retry", "retry_if"];
        assert_eq!(nearest("queu", known), Some("queue"));
        assert_eq!(nearest("quene", known), Some("queue"));
        assert_eq!(nearest("tiemout", known), Some("timeout"));
        assert_eq!(nearest("retry_fi", known), Some("retry_if"));
        assert_eq!(nearest("ship_ordr", ["ship_order", "send_mail"]), Some("ship_order"));
    }

    #[test]
    fn does_not_guess_wildly() {
        assert_eq!(nearest("cron", ["name", "queue", "priority"]), None);
        assert_eq!(nearest("queue", ["queue"]), None);
        assert_eq!(nearest("", ["name"]), None);
    }
}
