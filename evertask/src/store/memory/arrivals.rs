//! Ids by arrival, some of which go.

/// What came, with its number. Numbers are never given again.
#[derive(Debug)]
pub(super) struct Arrivals<I> {
    next: usize,
    ids: Vec<(usize, Option<I>)>,
    gone: usize,
}

impl<I: Copy> Arrivals<I> {
    pub(super) const fn new() -> Self {
        Self { next: 0, ids: Vec::new(), gone: 0 }
    }

    /// Adds one: its number.
    pub(super) fn add(&mut self, id: I) -> usize {
        let number = self.next;
        self.ids.push((number, Some(id)));
        self.next += 1;
        number
    }

    pub(super) fn remove(&mut self, number: usize) {
        let Ok(at) = self.ids.binary_search_by_key(&number, |(number, _)| *number) else { return };
        self.gone += usize::from(self.ids[at].1.take().is_some());
        // Half of it at a time, so that each removal costs little.
        if self.gone * 2 > self.ids.len() {
            self.ids.retain(|(_, id)| id.is_some());
            self.gone = 0;
        }
    }

    /// Those with this number or a later one, in order.
    pub(super) fn from(&self, number: usize) -> impl Iterator<Item = I> + '_ {
        let at = self.ids.partition_point(|(before, _)| *before < number);
        self.ids[at..].iter().filter_map(|(_, id)| *id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = I> + '_ {
        self.from(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_leaves_the_numbers_of_the_rest() {
        let mut arrivals = Arrivals::new();
        for id in 0..10 {
            assert_eq!(arrivals.add(id), id);
        }
        for number in [0, 1, 3, 4, 5, 6, 6, 11] {
            arrivals.remove(number);
        }
        assert_eq!(arrivals.iter().collect::<Vec<_>>(), [2, 7, 8, 9]);
        assert_eq!(arrivals.from(3).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!((arrivals.add(10), arrivals.from(usize::MAX).count()), (10, 0));
    }
}
