//! Where the boxes of a picture go: in layers, each box below what leads to it.
//!
//! An edge that leads back, or over more layers than the picture has room for, goes around on a lane at the right; any
//! other has a bend in each layer that it crosses. Boxes and bends of a layer are ordered by where their neighbours
//! are, and then moved as near to these as the order allows. Each pass looks at each edge once.

use super::svg::{GAP, Size};

/// Passes down and up, for the order and then for the places: more change little.
const PASSES: usize = 4;
/// Bends for each box, at most: long edges past that go around.
const BENDS: usize = 4;
/// Between two of a layer.
const SPACE: f64 = 18.0;

/// Where everything is.
pub(super) struct Layout {
    /// The middle of each box.
    pub(super) boxes: Vec<(f64, f64)>,
    /// What each edge passes, in the order in which they were given.
    pub(super) ways: Vec<Way>,
    /// The layers' upper and lower ends.
    pub(super) layers: Vec<(f64, f64)>,
    /// The layer of each box.
    pub(super) layer_of: Vec<usize>,
    /// The width without lanes.
    pub(super) width: f64,
    pub(super) height: f64,
    /// Lanes at the right.
    pub(super) lanes: usize,
}

/// How an edge goes.
pub(super) enum Way {
    /// Down, by these places, each in the middle of a layer of its own.
    Down(Vec<f64>),
    /// Around, on this lane.
    Around(usize),
}

/// A box, or the bend of an edge in a layer.
struct Spot {
    width: f64,
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Places boxes of these sizes, with these edges between them.
pub(super) fn layout(sizes: &[Size], edges: &[(usize, usize)]) -> Layout {
    let is_back = back_edges(sizes.len(), edges);
    let layer_of = longest_paths(sizes.len(), edges, &is_back);
    let mut spots: Vec<_> = sizes.iter().map(|size| Spot::new(size.width)).collect();
    let mut layers = vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
    for (spot, &layer) in layer_of.iter().enumerate() {
        layers[layer].push(spot);
    }

    let (mut room, mut lanes) = (BENDS * (sizes.len() + edges.len()), 0);
    let mut ways = Vec::with_capacity(edges.len());
    let mut bends_of = Vec::with_capacity(edges.len());
    for (&(from, to), &is_back) in edges.iter().zip(&is_back) {
        let bends = if is_back { usize::MAX } else { layer_of[to] - layer_of[from] - 1 };
        if bends > room {
            ways.push(Way::Around(lanes));
            bends_of.push(Vec::new());
            lanes += 1;
            continue;
        }
        room -= bends;
        let mut last = from;
        let mut passed = Vec::with_capacity(bends);
        for layer in &mut layers[layer_of[from] + 1..layer_of[to]] {
            let bend = spots.len();
            spots.push(Spot::new(0.0));
            layer.push(bend);
            connect(&mut spots, last, bend);
            passed.push(bend);
            last = bend;
        }
        connect(&mut spots, last, to);
        ways.push(Way::Down(Vec::new()));
        bends_of.push(passed);
    }

    order(&mut spots, &mut layers);
    let width = place(&mut spots, &layers);
    let heights = layers.iter().map(|layer| {
        let boxes = layer.iter().filter_map(|&spot| sizes.get(spot));
        boxes.map(|size| size.height).fold(0.0, f64::max)
    });
    let mut bottom = -GAP;
    let layers: Vec<_> = heights
        .map(|height| {
            let top = bottom + GAP;
            bottom = top + height;
            (top, bottom)
        })
        .collect();
    for (way, bends) in ways.iter_mut().zip(bends_of) {
        if let Way::Down(places) = way {
            places.extend(bends.into_iter().map(|bend| spots[bend].x));
        }
    }
    let middle = |layer: usize| f64::midpoint(layers[layer].0, layers[layer].1);
    let boxes = layer_of.iter().zip(&spots).map(|(&layer, spot)| (spot.x, middle(layer))).collect();
    Layout { boxes, ways, layers, layer_of, width, height: bottom.max(0.0), lanes }
}

impl Spot {
    fn new(width: f64) -> Self {
        Self { width, x: 0.0, above: Vec::new(), below: Vec::new() }
    }

    /// The mean of the places of its neighbours.
    fn wish(&self, spots: &[Self], from_above: bool) -> Option<f64> {
        let near = if from_above { &self.above } else { &self.below };
        let sum: f64 = near.iter().map(|&spot| spots[spot].x).sum();
        (!near.is_empty()).then(|| sum / number(near.len()))
    }
}

fn connect(spots: &mut [Spot], above: usize, below: usize) {
    spots[above].below.push(below);
    spots[below].above.push(above);
}

/// Which edges close a circle, as a walk from the first box on finds them.
fn back_edges(boxes: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        OnTheWay,
        Left,
    }
    let out = outgoing(boxes, edges);
    let mut is_back = vec![false; edges.len()];
    let mut seen = vec![Seen::Not; boxes];
    for start in 0..boxes {
        if seen[start] != Seen::Not {
            continue;
        }
        seen[start] = Seen::OnTheWay;
        let mut way = vec![(start, 0)];
        while let Some((at, next)) = way.last_mut() {
            let Some(&edge) = out[*at].get(*next) else {
                seen[*at] = Seen::Left;
                way.pop();
                continue;
            };
            *next += 1;
            let to = edges[edge].1;
            match seen[to] {
                Seen::Not => {
                    seen[to] = Seen::OnTheWay;
                    way.push((to, 0));
                }
                Seen::OnTheWay => is_back[edge] = true,
                Seen::Left => {}
            }
        }
    }
    is_back
}

/// The layer of each box: one below the lowest that leads to it.
fn longest_paths(boxes: usize, edges: &[(usize, usize)], is_back: &[bool]) -> Vec<usize> {
    let out = outgoing(boxes, edges);
    let mut open = vec![0_usize; boxes];
    for (&(_, to), _) in edges.iter().zip(is_back).filter(|(_, is_back)| !**is_back) {
        open[to] += 1;
    }
    let mut layers = vec![0; boxes];
    let mut ready: Vec<_> = (0..boxes).filter(|&at| open[at] == 0).collect();
    while let Some(at) = ready.pop() {
        for &edge in out[at].iter().filter(|&&edge| !is_back[edge]) {
            let to = edges[edge].1;
            layers[to] = layers[to].max(layers[at] + 1);
            open[to] -= 1;
            if open[to] == 0 {
                ready.push(to);
            }
        }
    }
    layers
}

/// For each box, the edges that leave it.
fn outgoing(boxes: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new(); boxes];
    for (edge, &(from, _)) in edges.iter().enumerate() {
        out[from].push(edge);
    }
    out
}

/// Orders each layer by the mean place of its neighbours, from above and from below in turn.
fn order(spots: &mut [Spot], layers: &mut [Vec<usize>]) {
    for layer in layers.iter() {
        count_off(spots, layer);
    }
    for pass in 0..PASSES {
        let down = pass % 2 == 0;
        for nth in turn(layers.len(), down) {
            let layer = &mut layers[nth];
            let mut wishes: Vec<_> =
                layer.iter().map(|&spot| (spots[spot].wish(spots, down).unwrap_or(spots[spot].x), spot)).collect();
            wishes.sort_by(|one, two| one.0.total_cmp(&two.0));
            *layer = wishes.into_iter().map(|(_, spot)| spot).collect();
            count_off(spots, layer);
        }
    }
}

fn count_off(spots: &mut [Spot], layer: &[usize]) {
    for (nth, &spot) in layer.iter().enumerate() {
        spots[spot].x = number(nth);
    }
}

fn turn(layers: usize, down: bool) -> Box<dyn Iterator<Item = usize>> {
    if down { Box::new(0..layers) } else { Box::new((0..layers).rev()) }
}

/// Moves the spots of each layer as near to their neighbours as their order and widths allow. Gives the whole width.
fn place(spots: &mut [Spot], layers: &[Vec<usize>]) -> f64 {
    for layer in layers {
        let mut left = 0.0;
        for &spot in layer {
            spots[spot].x = left + spots[spot].width / 2.0;
            left += spots[spot].width + SPACE;
        }
    }
    // It ends with a pass upwards, so that what leads to many is over their middle.
    for pass in 0..PASSES {
        let down = pass % 2 == 0;
        for nth in turn(layers.len(), down) {
            move_layer(spots, &layers[nth], down);
        }
    }
    let all = || layers.iter().flatten().map(|&spot| &spots[spot]);
    let left = all().map(|spot| spot.x - spot.width / 2.0).fold(f64::INFINITY, f64::min);
    let right = all().map(|spot| spot.x + spot.width / 2.0).fold(f64::NEG_INFINITY, f64::max);
    if layers.is_empty() {
        return 0.0;
    }
    for spot in spots {
        spot.x -= left;
    }
    right - left
}

/// The places in order that are nearest to those that are wished, by least squares: neighbours that would overlap
/// form a block, which stands at the mean of its wishes.
fn move_layer(spots: &mut [Spot], layer: &[usize], down: bool) {
    let mut offsets = Vec::with_capacity(layer.len());
    // The sum and the number of the wishes of each block.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    let mut offset = 0.0;
    let mut half = 0.0;
    for (nth, &spot) in layer.iter().enumerate() {
        let width = spots[spot].width;
        if nth > 0 {
            offset += half + SPACE + width / 2.0;
        }
        half = width / 2.0;
        offsets.push(offset);
        let wish = spots[spot].wish(spots, down).unwrap_or(spots[spot].x) - offset;
        blocks.push((wish, 1));
        while let [.., one, two] = blocks[..]
            && mean(one) > mean(two)
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push((one.0 + two.0, one.1 + two.1));
        }
    }
    let places = blocks.into_iter().flat_map(|block| std::iter::repeat_n(mean(block), block.1));
    for ((&spot, offset), place) in layer.iter().zip(offsets).zip(places) {
        spots[spot].x = place + offset;
    }
}

fn mean((sum, count): (f64, usize)) -> f64 {
    sum / number(count)
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
