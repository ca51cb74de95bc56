//! The graph as a picture, without another program.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::layout::{Layout, Way, layout};
use super::{Edge, EdgeEnd, EdgeKind, Graph, GraphStep, RunProgress, StepProgress, StepState, line};
use crate::registry::SIGNAL;

/// Between two layers.
pub(super) const GAP: f64 = 26.0;
const MARGIN: f64 = 16.0;
/// Between two lanes of edges that go around.
const LANE: f64 = 12.0;
/// The width of a letter: wide enough for the fonts that a viewer may have.
const LETTER: f64 = 7.4;
const SMALL: f64 = 6.4;
const LINE: f64 = 16.0;
/// A longer text is shortened; the whole of it is shown where the pointer is.
const LONGEST: usize = 64;

/// The size of a box.
pub(super) struct Size {
    pub(super) width: f64,
    pub(super) height: f64,
}

/// What the picture has in a place.
enum Shape {
    Step {
        label: String,
        said: Option<StepProgress>,
    },
    End(&'static str),
    /// What is written on an edge has a place of its own, so that nothing lies over it.
    Label(String),
}

const STYLE: &str = "\
.paper{fill:#ffffff}.step rect{fill:#f6f8fa;stroke:#57606a}.step text{fill:#1f2328}.end rect{fill:none;stroke:#8c959f}\
.end text,.label text{fill:#57606a}.title{fill:#1f2328;font-weight:bold}.edge{fill:none;stroke:#8c959f}\
.tip{fill:#8c959f}text{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px;text-anchor:middle}\
.label text,.said{font-size:10.5px}\
@media(prefers-color-scheme:dark){.paper{fill:#0d1117}.step rect{fill:#161b22;stroke:#8b949e}.step text{fill:#e6edf3}\
.end text,.label text{fill:#9ea7b1}.title{fill:#e6edf3}}";

impl Graph {
    /// The graph as an SVG picture that needs nothing else: no script, no font, no other file. It is readable on a
    /// light and on a dark page.
    ///
    /// ```
    /// # use evertask::{prelude::*, workflow};
    /// # #[task]
    /// # async fn knock() -> Result<(), String> { Ok(()) }
    /// # workflow! { Visit<()> { knock { on_ok => end } } }
    /// assert!(Visit::graph().svg().starts_with("<svg"));
    /// ```
    pub fn svg(&self) -> String {
        self.write_svg(None)
    }

    /// The same with how far a run is: each step says its state, and has its colour.
    pub fn svg_of(&self, progress: &RunProgress) -> String {
        self.write_svg(Some(progress))
    }

    fn write_svg(&self, progress: Option<&RunProgress>) -> String {
        let (shapes, edges) = self.shapes(progress);
        let sizes: Vec<_> = shapes.iter().map(Shape::size).collect();
        let layout = layout(&sizes, &edges);
        let title = progress.map_or_else(|| self.name.clone(), RunProgress::title);
        let top = MARGIN + LINE + 12.0;
        let lanes = layout.lanes.min(usize::from(u16::MAX));
        let wide = layout.width + LANE * u16::try_from(lanes).map_or(0.0, f64::from);
        let width = wide.max(text_width(&shortened(&title), LETTER)) + 2.0 * MARGIN;
        let height = layout.height + top + MARGIN;

        let mut svg = String::new();
        let size = format!("width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\"");
        let name = xml(&title);
        line(
            &mut svg,
            format_args!("<svg xmlns=\"http://www.w3.org/2000/svg\" {size} role=\"img\" aria-label=\"{name}\">"),
        );
        line(&mut svg, format_args!("<title>{name}</title>"));
        line(&mut svg, format_args!("<style>{STYLE}{}</style>", progress.map(|_| colours()).unwrap_or_default()));
        line(&mut svg, format_args!("<rect class=\"paper\" width=\"100%\" height=\"100%\" rx=\"6\"/>"));
        let middle = width / 2.0;
        let shown = xml(&shortened(&title));
        line(
            &mut svg,
            format_args!("<text class=\"title\" x=\"{middle:.1}\" y=\"{:.1}\">{shown}</text>", MARGIN + 12.0),
        );
        let left = MARGIN + (width - 2.0 * MARGIN - wide) / 2.0;
        line(&mut svg, format_args!("<g transform=\"translate({left:.1} {top:.1})\">"));
        for (&(from, to), way) in edges.iter().zip(&layout.ways) {
            let has_tip = !matches!(shapes[to], Shape::Label(_));
            draw_edge(&mut svg, &layout, &sizes, (from, to), way, has_tip);
        }
        for (shape, (size, &middle)) in shapes.iter().zip(sizes.iter().zip(&layout.boxes)) {
            shape.draw(&mut svg, size, middle);
        }
        svg.push_str("</g>\n</svg>\n");
        svg
    }

    /// The boxes, and the edges between them.
    fn shapes(&self, progress: Option<&RunProgress>) -> (Vec<Shape>, Vec<(usize, usize)>) {
        let mut shapes: Vec<_> = self
            .steps
            .iter()
            .map(|step| Shape::Step { label: name(step), said: progress.map(|progress| progress.of(step)) })
            .collect();
        let ids: BTreeMap<_, _> = self.steps.iter().enumerate().map(|(nth, step)| (step.name.as_str(), nth)).collect();
        let mut edges = Vec::with_capacity(2 * self.edges.len());
        for edge in &self.edges {
            let Some(&from) = ids.get(edge.from.as_str()) else { continue };
            let label = shapes.len();
            shapes.push(Shape::Label(written(edge)));
            let to = match &edge.to {
                EdgeEnd::Step(step) => {
                    let Some(&to) = ids.get(step.as_str()) else { continue };
                    to
                }
                // Each end has a box of its own, so that the picture does not tie branches together.
                end => {
                    shapes.push(Shape::End(end.word()));
                    shapes.len() - 1
                }
            };
            edges.extend([(from, label), (label, to)]);
        }
        (shapes, edges)
    }
}

impl Shape {
    fn size(&self) -> Size {
        match self {
            Self::Step { label, said } => {
                let said = said.as_ref().map(|said| text_width(&said.to_string(), SMALL));
                let width = text_width(&shortened(label), LETTER).max(said.unwrap_or(0.0)) + 24.0;
                Size { width, height: if said.is_some() { 2.0 * LINE + 12.0 } else { LINE + 16.0 } }
            }
            Self::End(word) => Size { width: text_width(word, LETTER) + 24.0, height: LINE + 8.0 },
            Self::Label(label) => Size { width: text_width(&shortened(label), SMALL) + 4.0, height: LINE },
        }
    }

    fn draw(&self, svg: &mut String, size: &Size, (x, y): (f64, f64)) {
        let (left, top) = (x - size.width / 2.0, y - size.height / 2.0);
        let area = format!("x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"", size.width, size.height);
        match self {
            Self::Step { label, said } => {
                let state = said.as_ref().map(|said| format!(" {}", class(said.state()))).unwrap_or_default();
                let full = xml(label);
                line(svg, format_args!("<g class=\"step{state}\"><title>{full}</title><rect {area} rx=\"6\"/>"));
                let first = if said.is_some() { y - 3.0 } else { y + 4.0 };
                line(svg, format_args!("<text x=\"{x:.1}\" y=\"{first:.1}\">{}</text>", xml(&shortened(label))));
                if let Some(said) = said {
                    let second = y + 13.0;
                    line(svg, format_args!("<text class=\"said\" x=\"{x:.1}\" y=\"{second:.1}\">{said}</text>"));
                }
                line(svg, format_args!("</g>"));
            }
            Self::End(word) => {
                let round = size.height / 2.0;
                let text = format!("<text x=\"{x:.1}\" y=\"{:.1}\">{word}</text>", y + 4.0);
                line(svg, format_args!("<g class=\"end\"><rect {area} rx=\"{round:.1}\"/>{text}</g>"));
            }
            Self::Label(label) => {
                let (full, shown) = (xml(label), xml(&shortened(label)));
                let text = format!("<text x=\"{x:.1}\" y=\"{:.1}\">{shown}</text>", y + 4.0);
                line(svg, format_args!("<g class=\"label\"><title>{full}</title>{text}</g>"));
            }
        }
    }
}

/// As the step is written in its block.
fn name(step: &GraphStep) -> String {
    if step.task == SIGNAL { format!("wait {}", step.name) } else { step.label() }
}

/// What is written on an edge.
fn written(edge: &Edge) -> String {
    let mut text = match edge.kind {
        EdgeKind::Join => "join".to_owned(),
        EdgeKind::Each => format!("{}, each", edge.label()),
        EdgeKind::Once | EdgeKind::Undo => edge.label(),
    };
    if let Some(limit) = edge.limit {
        // Writing to a `String` does not fail.
        let _ = write!(text, " limit {limit}");
    }
    text
}

/// The line of an edge, and its tip where it ends in a box.
fn draw_edge(svg: &mut String, layout: &Layout, sizes: &[Size], (from, to): (usize, usize), way: &Way, has_tip: bool) {
    let (x, y) = layout.boxes[from];
    let (end_x, end_y) = layout.boxes[to];
    let start = y + sizes[from].height / 2.0;
    let end = end_y - sizes[to].height / 2.0 - if has_tip { 6.0 } else { 0.0 };
    let mut path = format!("M{x:.1} {start:.1}");
    // Writing to a `String` does not fail.
    let mut say = |text: std::fmt::Arguments<'_>| {
        let _ = path.write_fmt(text);
    };
    let from_layer = layout.layer_of[from];
    match way {
        Way::Down(bends) => {
            let (mut x, mut y) = (x, layout.layers[from_layer].1);
            say(format_args!("V{y:.1}"));
            for (bend, &(top, bottom)) in bends.iter().zip(&layout.layers[from_layer + 1..]) {
                let middle = f64::midpoint(y, top);
                say(format_args!("C{x:.1} {middle:.1} {bend:.1} {middle:.1} {bend:.1} {top:.1}V{bottom:.1}"));
                (x, y) = (*bend, bottom);
            }
            let top = layout.layers[layout.layer_of[to]].0.min(end);
            let middle = f64::midpoint(y, top);
            say(format_args!("C{x:.1} {middle:.1} {end_x:.1} {middle:.1} {end_x:.1} {top:.1}V{end:.1}"));
        }
        Way::Around(lane) => {
            // Lanes next to each other turn at different heights.
            let turn = u8::try_from(lane % 4).map_or(0.0, |nth| f64::from(nth) * 3.0);
            let right = layout.width + LANE * (u16::try_from(*lane).map_or(0.0, f64::from) + 0.8);
            let (below, above) = (layout.layers[from_layer].1 + 6.0 + turn, layout.layers[layout.layer_of[to]].0);
            let above = above - GAP / 2.0 - turn / 2.0;
            say(format_args!("V{below:.1}H{right:.1}V{above:.1}H{end_x:.1}V{end:.1}"));
        }
    }
    line(svg, format_args!("<path class=\"edge\" d=\"{path}\"/>"));
    if has_tip {
        line(svg, format_args!("<path class=\"tip\" d=\"M{:.1} {end:.1}h8l-4 6z\"/>", end_x - 4.0));
    }
}

/// The colours of the states are the same on a light and on a dark page: their fill is their own.
fn colours() -> String {
    let mut css = String::new();
    for state in StepState::ALL {
        let (fill, stroke, ink) = state.colours();
        let class = class(state);
        // Writing to a `String` does not fail.
        let _ = write!(css, ".step.{class} rect{{fill:{fill};stroke:{stroke}}}.step.{class} text{{fill:{ink}}}");
    }
    css
}

/// A class has one word.
fn class(state: StepState) -> String {
    state.as_str().replace(' ', "-")
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// Letters of East Asia and pictures are twice as wide.
fn text_width(text: &str, letter: f64) -> f64 {
    text.chars()
        .map(|char| if char >= '\u{1100}' && !('\u{2000}'..'\u{2e80}').contains(&char) { 2.0 } else { 1.0 })
        .sum::<f64>()
        * letter
}

/// XML has no way to write most control characters.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' | '\r' => escaped.push(' '),
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            char => escaped.push(char),
        }
    }
    escaped
}
