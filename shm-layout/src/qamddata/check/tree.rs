//! A red-black tree of Boost's, walked in order as bytes that anybody may have damaged (pure).
//!
//! Boost's rebalancing relies on more than the order: that every child knows its parent, that the header knows root, first and
//! last, and on the rules of the colours. So all of them are checked.

use super::Damage;
use crate::qamddata::layout::node::{BLACK, LEFT, NULL, PARENT, RIGHT};
use crate::shared_memory::Words;

/// Nodes from the root of a tree to its lowest one: a red-black tree that fills a segment has 42 at most.
pub(super) const HEIGHT_MAX: usize = 64;

/// A tree, by its header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    /// What it is, for whoever reads of damage.
    pub name: &'static str,
    /// Where its header is.
    pub header: u64,
    /// How many nodes it says that it has.
    pub count: u64,
}

/// What the nodes of a tree are.
pub(super) trait Nodes {
    /// Asked of each node before any of its words is believed. Refuses what is no node or was claimed before, and so ends every
    /// walk.
    fn claim(&mut self, node: u64) -> Result<(), &'static str>;

    /// Told of each node in the tree's order.
    fn visit(&mut self, node: u64) -> Result<(), &'static str>;
}

/// Where the pointer at an offset points; `None` when it is null. Bits of the mask are no part of it.
pub(super) fn target<W: Words + ?Sized>(words: &W, at: u64, mask: u64) -> Option<u64> {
    let distance = words.at(at)? & !mask;
    (distance != NULL).then(|| at.wrapping_add(distance))
}

/// Walks a whole tree.
///
/// # Errors
/// The first [`Damage`] found.
pub(super) fn walk<W, N>(words: &W, tree: &Tree, nodes: &mut N) -> Result<(), Damage>
where
    W: Words + ?Sized,
    N: Nodes,
{
    Walk { words, tree, nodes, leaf_blacks: None, ends: None, visited: 0 }.run()
}

/// A node on the way from the root.
#[derive(Clone, Copy)]
struct Step {
    node: u64,
    is_red: bool,
    /// Black nodes from the root to this one.
    blacks: u32,
}

struct Walk<'a, W: ?Sized, N> {
    words: &'a W,
    tree: &'a Tree,
    nodes: &'a mut N,
    /// Black nodes from the root to a missing child: the same everywhere.
    leaf_blacks: Option<u32>,
    /// The first node and the one visited last.
    ends: Option<(u64, u64)>,
    visited: u64,
}

// === impl Tree ===

impl Tree {
    /// A tree whose header and count are at these offsets.
    pub(super) fn of<W: Words + ?Sized>(
        words: &W,
        name: &'static str,
        header: u64,
        count: u64,
    ) -> Self {
        Self { name, header, count: words.at(count).unwrap_or_default() }
    }
}

// === impl Walk ===

impl<W: Words + ?Sized, N: Nodes> Walk<'_, W, N> {
    fn run(mut self) -> Result<(), Damage> {
        let header = self.tree.header;
        if self.words.at(header + PARENT).unwrap_or_default() & BLACK != 0 {
            return Err(self.damage(header, "is a header and not red"));
        }
        // The header counts as red, so the root must be black.
        let mut parent = Step { node: header, is_red: true, blacks: 0 };
        let mut path = Vec::with_capacity(HEIGHT_MAX);
        let mut link = target(self.words, header + PARENT, BLACK);
        loop {
            if let Some(node) = link {
                if path.len() == HEIGHT_MAX {
                    return Err(self.damage(node, "lies too deep"));
                }
                parent = self.enter(node, parent)?;
                path.push(parent);
                link = target(self.words, node + LEFT, 0);
                continue;
            }
            self.leaf(parent)?;
            let Some(step) = path.pop() else { break };
            self.visit(step.node)?;
            parent = step;
            link = target(self.words, step.node + RIGHT, 0);
        }
        self.finish()
    }

    fn enter(&mut self, node: u64, parent: Step) -> Result<Step, Damage> {
        self.nodes.claim(node).map_err(|what| self.damage(node, what))?;
        if target(self.words, node + PARENT, BLACK) != Some(parent.node) {
            return Err(self.damage(node, "does not name the node above it as its parent"));
        }
        let is_red = self.words.at(node + PARENT).unwrap_or_default() & BLACK == 0;
        if is_red && parent.is_red {
            let is_root = parent.node == self.tree.header;
            let what = if is_root { "is the root and red" } else { "is red under a red one" };
            return Err(self.damage(node, what));
        }
        Ok(Step { node, is_red, blacks: parent.blacks + u32::from(!is_red) })
    }

    fn leaf(&mut self, parent: Step) -> Result<(), Damage> {
        if *self.leaf_blacks.get_or_insert(parent.blacks) != parent.blacks {
            let what = "has more or fewer black ones above it than others";
            return Err(self.damage(parent.node, what));
        }
        Ok(())
    }

    fn visit(&mut self, node: u64) -> Result<(), Damage> {
        self.nodes.visit(node).map_err(|what| self.damage(node, what))?;
        let first = self.ends.map_or(node, |(first, _)| first);
        self.ends = Some((first, node));
        self.visited += 1;
        Ok(())
    }

    /// What the header says of the whole.
    fn finish(self) -> Result<(), Damage> {
        let Tree { name, header, count } = *self.tree;
        let (first, last) = self.ends.unwrap_or((header, header));
        if target(self.words, header + LEFT, 0) != Some(first) {
            return Err(self.damage(first, "is the first, but the header names another"));
        }
        if target(self.words, header + RIGHT, 0) != Some(last) {
            return Err(self.damage(last, "is the last, but the header names another"));
        }
        if self.visited != count {
            return Err(Damage::Count { tree: name, found: self.visited, said: count });
        }
        Ok(())
    }

    fn damage(&self, node: u64, what: &'static str) -> Damage {
        Damage::Tree { tree: self.tree.name, node, what }
    }
}
