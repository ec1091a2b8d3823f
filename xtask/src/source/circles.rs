//! Finds circles in a graph whose nodes are numbers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A largest set of nodes in which every node leads to every other one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Circles {
    /// All nodes, in order.
    pub(crate) nodes: Vec<usize>,
    /// A shortest circle among them, without the step back to its beginning.
    pub(crate) shortest: Vec<usize>,
}

/// Finds the largest sets of two or more nodes in which every node leads to every other one.
pub(crate) fn circles(edges: impl IntoIterator<Item = (usize, usize)>) -> Vec<Circles> {
    let mut next: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (from, to) in edges {
        if from != to {
            next.entry(from).or_default().insert(to);
        }
    }
    let way_back = |node| shortest_way(&next, node, node);
    let mut found: Vec<Circles> = Vec::new();
    for &node in next.keys() {
        let Some(way) = way_back(node) else { continue };
        let together = |circles: &&mut Circles| {
            let other = circles.nodes[0];
            shortest_way(&next, node, other).is_some() && shortest_way(&next, other, node).is_some()
        };
        if let Some(circles) = found.iter_mut().find(together) {
            circles.nodes.push(node);
            if way.len() < circles.shortest.len() {
                circles.shortest = way;
            }
        } else {
            found.push(Circles { nodes: vec![node], shortest: way });
        }
    }
    found
}

/// Returns the nodes of a shortest way of at least one step, without `to`.
fn shortest_way(
    next: &BTreeMap<usize, BTreeSet<usize>>,
    from: usize,
    to: usize,
) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::new();
    let mut ahead = VecDeque::from([from]);
    while let Some(node) = ahead.pop_front() {
        for &neighbour in next.get(&node).into_iter().flatten() {
            if neighbour == to {
                let mut way = vec![node];
                while way.last() != Some(&from) {
                    way.extend(way.last().and_then(|node| came_from.get(node)).copied());
                }
                way.reverse();
                return Some(way);
            }
            if neighbour != from && !came_from.contains_key(&neighbour) {
                came_from.insert(neighbour, node);
                ahead.push_back(neighbour);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_without_a_circle_has_none() {
        assert_eq!(circles([(1, 2), (2, 3), (1, 3), (4, 4)]), []);
    }

    #[test]
    fn circles_that_touch_are_one_and_others_are_apart() {
        let found = circles([(1, 2), (2, 3), (3, 1), (3, 4), (4, 3), (4, 5), (6, 7), (7, 6)]);
        assert_eq!(
            found,
            [
                Circles { nodes: vec![1, 2, 3, 4], shortest: vec![3, 4] },
                Circles { nodes: vec![6, 7], shortest: vec![6, 7] },
            ]
        );
    }

    #[test]
    fn the_way_around_follows_the_edges() {
        let found = circles([(1, 2), (2, 9), (9, 4), (4, 1), (9, 3), (3, 2)]);
        assert_eq!(found[0].shortest, [2, 9, 3]);
    }
}
