//! Pictures of graphs that no macro would let pass, and of large ones.

use std::collections::BTreeMap;

use super::layout::{Way, layout};
use super::svg::Size;
use super::{Edge, EdgeEnd, EdgeKind, Graph, GraphStep, RunProgress, StepProgress, StepState};
use crate::id::RunId;
use crate::store::RunState;

const HOSTILE: &str = "</text><script>alert(\"1\")</script>&'\u{0}\\";

fn graph(steps: &[&str], edges: &[(&str, &str)]) -> Graph {
    let step = |name: &&str| GraphStep { name: (*name).to_owned(), task: (*name).to_owned(), was: Vec::new() };
    let edge = |&(from, to): &(&str, &str)| Edge {
        from: from.to_owned(),
        on: format!("on_ok({to})"),
        to: if to == "done" { EdgeEnd::Done } else { EdgeEnd::Step(to.to_owned()) },
        kind: EdgeKind::Once,
        limit: None,
        after: None,
    };
    Graph { name: "Drawn".to_owned(), steps: steps.iter().map(step).collect(), edges: edges.iter().map(edge).collect() }
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

/// What opens is closed, in order, and nothing but the elements that the picture is made of is there.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        assert!(["svg", "title", "style", "rect", "text", "g", "path"].contains(&name), "<{tag}>");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!svg.contains(|char: char| char.is_control() && char != '\n'));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn each_step_edge_and_end_is_drawn() {
    let svg = graph(&["a", "b", "c"], &[("a", "b"), ("a", "c"), ("b", "a"), ("b", "done"), ("c", "done")]).svg();
    assert_well_formed(&svg);
    assert_eq!(count(&svg, "class=\"step\""), 3);
    assert_eq!(count(&svg, "class=\"label\""), 5);
    assert_eq!(count(&svg, "class=\"end\""), 2);
    assert_eq!(count(&svg, "class=\"edge\""), 10);
    assert_eq!(count(&svg, "class=\"tip\""), 5);
    assert_eq!(count(&svg, ">on_ok(done)</text>"), 2);
}

#[test]
fn hostile_names_are_escaped() {
    let drawn = graph(&[HOSTILE, "b"], &[(HOSTILE, "b"), ("b", HOSTILE)]);
    let steps = BTreeMap::from([(HOSTILE.to_owned(), StepProgress { running: 1, ..StepProgress::default() })]);
    let progress = RunProgress { run: RunId::new(), workflow: HOSTILE.to_owned(), state: RunState::Running, steps };
    for svg in [drawn.svg(), drawn.svg_of(&progress)] {
        assert_well_formed(&svg);
        assert!(!svg.contains("<script"));
        assert!(svg.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\u{fffd}\\"));
    }
    for mermaid in [drawn.mermaid(), drawn.mermaid_of(&progress)] {
        let drawn = mermaid.split_once("flowchart").unwrap().1;
        assert!(!drawn.contains("<script") && drawn.contains("&lt;script&gt;alert(&quot;1&quot;)"), "{mermaid}");
    }
    assert!(drawn.mermaid_of(&progress).starts_with("---\ntitle: \"</text><script>alert(\\\"1\\\")"));
    for dot in [drawn.dot(), drawn.dot_of(&progress)] {
        let quotes = dot.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(count(&quotes, "\"") % 2, 0, "{dot}");
        assert!(dot.contains("alert(\\\"1\\\")"));
    }
}

#[test]
fn a_long_text_is_shortened_and_wholly_there() {
    let long = "x".repeat(200);
    let svg = graph(&[&long], &[]).svg();
    assert_well_formed(&svg);
    assert_eq!(count(&svg, &format!("<title>{long}</title>")), 1);
    assert!(svg.contains(&format!(">{}…</text>", "x".repeat(63))));
}

#[test]
fn an_empty_graph_has_a_picture() {
    assert_well_formed(&graph(&[], &[]).svg());
}

fn sizes(count: usize) -> Vec<Size> {
    (0..count).map(|nth| Size { width: [40.0, 90.0, 10.0][nth % 3], height: 20.0 }).collect()
}

#[test]
fn boxes_are_below_what_leads_to_them_and_do_not_overlap() {
    // A layered graph with jumps and with ways back, of a fixed pattern.
    let edges: Vec<_> =
        (0..300).flat_map(|nth| [(nth, (nth * 7 + 3) % 300), (nth, (nth + 11) % 300), (nth / 3, nth)]).collect();
    let sizes = sizes(300);
    let placed = layout(&sizes, &edges);
    for (&(from, to), way) in edges.iter().zip(&placed.ways) {
        if matches!(way, Way::Down(_)) {
            assert!(placed.layer_of[from] < placed.layer_of[to]);
            assert!(placed.boxes[from].1 < placed.boxes[to].1);
        }
    }
    for one in 0..sizes.len() {
        for two in one + 1..sizes.len() {
            if placed.layer_of[one] == placed.layer_of[two] {
                let apart = (placed.boxes[one].0 - placed.boxes[two].0).abs();
                assert!(apart >= f64::midpoint(sizes[one].width, sizes[two].width), "{one} and {two}: {apart}");
            }
        }
    }
    for (size, &(x, y)) in sizes.iter().zip(&placed.boxes) {
        assert!(x - size.width / 2.0 >= -0.001 && x + size.width / 2.0 <= placed.width + 0.001);
        assert!(y - size.height / 2.0 >= -0.001 && y + size.height / 2.0 <= placed.height + 0.001);
    }
}

/// Each step leads to the last one: with a bend in each layer that an edge crosses, the bends would be 5,000 × 5,000 / 2.
#[test]
fn long_edges_past_a_bound_go_around() {
    let steps = 5_000;
    let edges: Vec<_> = (1..steps).flat_map(|nth| [(nth - 1, nth), (nth - 1, steps)]).collect();
    let placed = layout(&sizes(steps + 1), &edges);
    let bends: usize = placed.ways.iter().map(|way| if let Way::Down(bends) = way { bends.len() } else { 0 }).sum();
    assert!(placed.lanes > 0 && bends <= 4 * (steps + 1 + edges.len()), "{bends} bends, {} lanes", placed.lanes);
}

#[test]
fn a_diamond_is_upright() {
    let placed = layout(&sizes(4), &[(0, 1), (0, 2), (1, 3), (2, 3)]);
    assert_eq!(placed.layer_of, [0, 1, 1, 2]);
    let [top, left, right, bottom] = placed.boxes[..] else { panic!("four boxes") };
    assert!(left.0 < top.0 && top.0 < right.0);
    assert!((top.0 - bottom.0).abs() < 1.0, "{} and {}", top.0, bottom.0);
}

#[test]
fn a_step_says_the_state_of_all_its_tasks() {
    let step = |progress: &StepProgress| (progress.state(), progress.to_string());
    let none = StepProgress::default();
    assert_eq!(step(&none), (StepState::NotReached, "not reached".to_owned()));
    let each = StepProgress { running: 1, waiting: 2, succeeded: 3, failed: 1, attempts: 5, ..none.clone() };
    assert_eq!(step(&each), (StepState::Running, "1 running, 2 waiting, 3 succeeded, 1 failed".to_owned()));
    let again = StepProgress { running: 1, attempts: 3, ..none };
    assert_eq!(step(&again), (StepState::Running, "running (3 attempts)".to_owned()));
}
