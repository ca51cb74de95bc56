//! What can be reached, and what goes round.

/// The edges that leave each node, by number.
fn leaving(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut leaving = vec![Vec::new(); nodes];
    for (number, (from, _)) in edges.iter().enumerate() {
        leaving[*from].push(number);
    }
    leaving
}

/// Which nodes can be reached from the first one.
pub(crate) fn reachable(nodes: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    let leaving = leaving(nodes, edges);
    let mut reached = vec![false; nodes];
    let mut open: Vec<usize> = if nodes == 0 { Vec::new() } else { vec![0] };
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut reached[node], true) {
            open.extend(leaving[node].iter().map(|edge| edges[*edge].1));
        }
    }
    reached
}

#[derive(Clone, Copy, PartialEq)]
enum Met {
    No,
    Open,
    Done,
}

/// Each way round that begins and ends at one node, as the edges (by number) that it takes. One for each edge
/// that closes a circle in the order in which the nodes are met.
pub(crate) fn circles(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let leaving = leaving(nodes, edges);
    let mut met = vec![Met::No; nodes];
    let mut found: Vec<Vec<usize>> = Vec::new();
    for start in 0..nodes {
        if met[start] != Met::No {
            continue;
        }
        // The way here, and how many edges of each node on it were followed: a long chain needs no deep stack.
        let mut way: Vec<usize> = Vec::new();
        let mut open = vec![(start, 0)];
        met[start] = Met::Open;
        while let Some((node, followed)) = open.last_mut() {
            let Some(&edge) = leaving[*node].get(*followed) else {
                met[*node] = Met::Done;
                open.pop();
                way.pop();
                continue;
            };
            *followed += 1;
            let to = edges[edge].1;
            match met[to] {
                Met::No => {
                    met[to] = Met::Open;
                    way.push(edge);
                    open.push((to, 0));
                }
                Met::Open => {
                    let begins = open.iter().position(|(node, _)| *node == to).unwrap_or(0);
                    let circle: Vec<usize> = way[begins..].iter().copied().chain([edge]).collect();
                    // Parallel edges close the same circle.
                    let nodes_of = |way: &[usize]| way.iter().map(|edge| edges[*edge].0).collect::<Vec<_>>();
                    if !found.iter().any(|other| nodes_of(other) == nodes_of(&circle)) {
                        found.push(circle);
                    }
                }
                Met::Done => {}
            }
        }
    }
    found
}
