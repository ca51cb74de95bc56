use super::{After, Flow, Join, Lost, Path, To, Way, circles, reachable, repeated};

/// Steps as text: `0: 1 2 | !3` is a step whose output leads to 1 and 2, and its failure to 3. `*1` is an `each`,
/// `j0` the first join, `done`, `end`, `fail` and `maybe` are ends.
fn flow(steps: &[&str], joins: &[(&[usize], usize)]) -> Flow {
    let to = |word: &str| match word {
        "done" => To::Done,
        "end" => To::End,
        "fail" => To::Fails,
        "maybe" => To::MayBeDone,
        word => match word.split_at(1) {
            ("*", step) => To::Each(step.parse().unwrap_or(0)),
            ("j", join) => To::Join(join.parse().unwrap_or(0)),
            _ => To::Step(word.parse().unwrap_or(0)),
        },
    };
    let way = |text: &str| {
        let text = text.trim();
        let (after, text) = match text.strip_prefix('!') {
            Some(text) => (After::Failure, text),
            None => (After::Ok, text),
        };
        Way { after, to: text.split_whitespace().map(to).collect() }
    };
    let steps = steps.iter().map(|step| step.split('|').map(way).collect()).collect();
    let joins = joins.iter().map(|(members, then)| Join { members: members.to_vec(), then: *then }).collect();
    Flow { steps, joins, ..Flow::default() }
}

fn steps(path: &Path) -> Vec<usize> {
    path.steps.iter().map(|(step, _)| *step).collect()
}

#[test]
fn reaches_what_edges_lead_to() {
    assert_eq!(reachable(4, &[(0, 1), (1, 0), (2, 3)]), [true, true, false, false]);
    assert_eq!(reachable(0, &[]), [false; 0]);
}

#[test]
fn finds_each_circle_once() {
    assert_eq!(circles(3, &[(0, 1), (1, 2)]), Vec::<Vec<usize>>::new());
    assert_eq!(circles(3, &[(0, 1), (1, 2), (2, 0)]), [[0, 1, 2]]);
    assert_eq!(circles(2, &[(0, 1), (1, 1)]), [[1]]);
    assert_eq!(circles(2, &[(0, 1), (0, 1), (1, 0), (1, 0)]).len(), 1);
    assert_eq!(circles(3, &[(0, 1), (1, 0), (0, 2), (2, 0)]).len(), 2);
    assert_eq!(circles(4, &[(0, 1), (0, 2), (1, 3), (2, 3), (3, 1)]), [[2, 4]]);
}

#[test]
fn a_diamond_is_no_circle() {
    assert!(circles(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]).is_empty());
}

#[test]
fn names_what_repeats() {
    assert_eq!(repeated(&["a", "b", "a", "a"]), [(2, 0), (3, 0)]);
}

#[test]
fn a_step_has_completed_where_every_way_leads_through_its_output() {
    // 0 -> 1 -> 3, 0 -> 2 -> 3.
    let diamond = flow(&["1 | 2", "3", "3", "end"], &[]);
    assert_eq!(diamond.without(1).path(3).map(|path| steps(&path)), Some(vec![0, 2, 3]));
    assert_eq!(diamond.without(0).path(3), None);
    // Its failure does not complete it.
    let failing = flow(&["1 | !2", "end", "end"], &[]);
    assert_eq!(failing.without(0).path(1), None);
    assert_eq!(failing.without(0).path(2).map(|path| steps(&path)), Some(vec![0, 2]));
    // Going round does not undo it.
    let round = flow(&["1", "2", "1 | end"], &[]);
    assert_eq!(round.without(1).path(2), None);
    assert!(round.without(2).path(1).is_some());
}

#[test]
fn all_members_have_completed_after_a_join() {
    let joined = flow(&["1 2", "j0", "j0", "end"], &[(&[1, 2], 3)]);
    for step in 0..3 {
        assert_eq!(joined.without(step).path(3), None, "{step}");
    }
    assert!(joined.without(1).path(2).is_some());
    // One that settles may have failed.
    let settled = flow(&["1 2", "j0 | !j0", "j0 | !j0", "end"], &[(&[1, 2], 3)]);
    assert!(settled.without(1).path(3).is_some());
    assert_eq!(settled.without(0).path(3), None);
}

fn lost(steps: &[&str], joins: &[(&[usize], usize)]) -> Vec<Lost> {
    let flow = flow(steps, joins);
    flow.lost(&flow.joins[0])
}

#[test]
fn a_join_is_complete_where_one_list_starts_all() {
    for (steps, joins) in [
        (&["1 2", "j0", "j0", "end"][..], &[(&[1, 2][..], 3)][..]),
        // With a step between.
        (&["1 2", "4", "j0", "end", "j0"], &[(&[4, 2], 3)]),
        // On one of two exclusive arms, and on both.
        (&["1 2 | end", "j0", "j0", "end"], &[(&[1, 2], 3)]),
        (&["1 2 | 2 1", "j0", "j0", "end"], &[(&[1, 2], 3)]),
        // A member that tries again, and one that fails the run.
        (&["1 2", "j0 | !1", "j0 | !fail", "end"], &[(&[1, 2], 3)]),
        // An `each`, of nothing perhaps.
        (&["*1 2", "j0", "j0", "end"], &[(&[1, 2], 3)]),
        (&["*1", "j0", "end"], &[(&[1], 2)]),
        // A join behind a join.
        (&["1 2 3", "j1", "j1", "j0", "j0", "end"], &[(&[3, 4], 5), (&[1, 2], 4)]),
        // A choice on the way, which leads there both ways; a loop.
        (&["1 2", "3 | 4", "j0", "j0", "3", "end"], &[(&[3, 2], 5)]),
        (&["1 2", "1 | 3", "j0", "j0", "end"], &[(&[3, 2], 4)]),
    ] {
        assert_eq!(lost(steps, joins), [], "{steps:?}");
    }
}

#[test]
fn a_member_on_another_arm_does_not_run() {
    let found = lost(&["1 | 2", "j0", "j0", "end"], &[(&[1, 2], 3)]);
    let path = Path { steps: vec![(0, Some(0)), (1, None)], end: None };
    assert_eq!(found, [Lost::Elsewhere { member: 2, other: 1, path }]);
    // In another branch, started before.
    let found = lost(&["1 2", "j0", "3 | end", "j0", "end"], &[(&[1, 3], 4)]);
    let path = Path { steps: vec![(0, Some(0)), (2, Some(1))], end: Some(To::End) };
    assert_eq!(found, [Lost::MayNotRun { member: 3, path }]);
}

#[test]
fn a_member_may_go_astray() {
    let found = lost(&["1 2", "j0 | !3", "j0", "end", "end"], &[(&[1, 2], 4)]);
    let path = Path { steps: vec![(1, Some(1)), (3, Some(0))], end: Some(To::End) };
    assert_eq!(found, [Lost::Astray { member: 1, path }]);
}

#[test]
fn a_way_without_an_output_is_found_where_it_ends() {
    let at = |steps: &[&str], joins: &[(&[usize], usize)]| {
        flow(steps, joins).without_output().iter().map(|wrong| (wrong.at, self::steps(&wrong.path))).collect::<Vec<_>>()
    };
    assert_eq!(at(&["done | !1", "fail"], &[]), []);
    assert_eq!(at(&["done | !1", "end"], &[]), [((1, 0, 0), vec![0, 1])]);
    assert_eq!(at(&["1 2", "end", "end"], &[]), [((1, 0, 0), vec![0, 1])]);
    assert_eq!(at(&["1 2", "end", "done"], &[]), []);
    assert_eq!(at(&["1 | end", "maybe | !end"], &[]).len(), 2);
    assert_eq!(at(&["*1", "done"], &[]), [((0, 0, 0), vec![0])]);
    assert_eq!(at(&["*1", "j0", "done"], &[(&[1], 2)]), []);
    assert_eq!(at(&["2 1", "j0", "j0", "end"], &[(&[1, 2], 3)]), [((3, 0, 0), vec![0, 1, 3])]);
    assert_eq!(at(&["0 | done"], &[]), []);
}

#[test]
fn two_outputs_of_one_way_are_found() {
    let at = |steps: &[&str], joins: &[(&[usize], usize)]| {
        flow(steps, joins).with_two_outputs().iter().map(|(wrong, _)| wrong.at).collect::<Vec<_>>()
    };
    assert_eq!(at(&["done | done"], &[]), []);
    assert_eq!(at(&["done done"], &[]), [(0, 0, 1)]);
    assert_eq!(at(&["1", "2 3", "done", "4", "done"], &[]), [(1, 0, 1)]);
    assert_eq!(at(&["1 2", "done | end", "maybe"], &[]), []);
    assert_eq!(at(&["done 0"], &[]), [(0, 0, 1)]);
    assert_eq!(at(&["*1", "done"], &[]), [(0, 0, 0)]);
    assert_eq!(at(&["1 2", "j0", "j0", "done"], &[(&[1, 2], 3)]), []);
    assert_eq!(at(&["1 2", "done", "done fail"], &[]), []);
}

#[test]
fn two_branches_that_meet_run_a_step_twice() {
    let ways = |flow: Flow, step| flow.doubled(step).map(|two| two.map(|path| steps(&path)));
    // Both branches of a list come to 3.
    assert_eq!(ways(flow(&["1 2", "3", "3", "end"], &[]), 3), Some([vec![0, 1, 3], vec![0, 2, 3]]));
    // Of two arms a run takes one.
    assert_eq!(ways(flow(&["1 | 2", "3", "3", "end"], &[]), 3), None);
    // A join brings them together, and what follows it runs once.
    assert_eq!(ways(flow(&["1 2", "j0", "j0", "4", "end"], &[(&[1, 2], 3)]), 4), None);
    // A third branch comes to what follows the join, too.
    let third = flow(&["1 2 4", "j0", "j0", "4", "end"], &[(&[1, 2], 3)]);
    assert_eq!(ways(third, 4), Some([vec![0, 1, 3, 4], vec![0, 4]]));
    // A way back to the list is another round.
    assert_eq!(ways(flow(&["1 2", "0 | end", "end"], &[]), 2), None);
    // Where the run fails, nothing else of the list goes on.
    assert_eq!(ways(flow(&["1 2 fail", "3", "3", "end"], &[]), 3), None);
}

/// Chains, diamonds and joins: each rule looks at an edge a bounded number of times.
#[test]
fn the_rules_stay_linear() {
    for size in [100, 1_000, 4_000] {
        let mut texts: Vec<String> = Vec::new();
        let mut joins: Vec<(Vec<usize>, usize)> = Vec::new();
        for diamond in 0..size / 4 {
            let first = diamond * 4;
            texts.push(format!("{} {} | !fail", first + 1, first + 2));
            texts.push(format!("j{diamond}"));
            texts.push(format!("j{diamond}"));
            texts.push(if diamond + 1 == size / 4 { "done".to_owned() } else { format!("{} | !{first}", first + 4) });
            joins.push((vec![first + 1, first + 2], first + 3));
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let joined: Vec<(&[usize], usize)> = joins.iter().map(|(members, then)| (members.as_slice(), *then)).collect();
        let flow = flow(&texts, &joined);
        assert_eq!(flow.without_output(), []);
        assert!(flow.with_two_outputs().is_empty());
        assert!(flow.without(0).path(size - 1).is_none());
        let visits = flow.visits.get();
        assert!(visits <= 12 * flow.size(), "{visits} visits of {} edges and steps", flow.size());
    }
}
