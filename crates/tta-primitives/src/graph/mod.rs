//! What a workflow looks like, without running it.
//!
//! Owns the description that primitives give of themselves; `text`, `mermaid` and `dot` draw it.

mod dot;
mod mermaid;
mod text;

use std::ops::Range;

use tta_telemetry::Name;

/// A primitive's description: a step, or a composition of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    name: Name,
    kind: &'static str,
    notes: Vec<String>,
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Step,
    /// One after another.
    Sequence(Vec<Graph>),
    /// Side by side.
    Fan(Vec<Graph>),
    /// One of them, each under the condition that leads to it.
    Choice(Vec<(Name, Graph)>),
    /// An end: whatever leads here goes no further.
    Stop,
}

impl Graph {
    /// A single step.
    #[must_use]
    pub fn step(name: Name, kind: &'static str) -> Self {
        Self { name, kind, notes: Vec::new(), shape: Shape::Step }
    }

    /// Steps one after another.
    #[must_use]
    pub fn sequence(name: Name, kind: &'static str, steps: Vec<Graph>) -> Self {
        Self { name, kind, notes: Vec::new(), shape: Shape::Sequence(steps) }
    }

    /// Branches side by side.
    #[must_use]
    pub fn fan(name: Name, kind: &'static str, branches: Vec<Graph>) -> Self {
        Self { name, kind, notes: Vec::new(), shape: Shape::Fan(branches) }
    }

    /// One of several ways, each with the condition that leads to it.
    #[must_use]
    pub fn choice<L: Into<Name>>(name: Name, kind: &'static str, ways: Vec<(L, Graph)>) -> Self {
        let ways = ways.into_iter().map(|(condition, way)| (condition.into(), way)).collect();
        Self { name, kind, notes: Vec::new(), shape: Shape::Choice(ways) }
    }

    /// A way that fails: no step follows it.
    pub(crate) fn fail() -> Self {
        Self { name: Name::from_static("fail"), kind: "fail", notes: Vec::new(), shape: Shape::Stop }
    }

    /// The same with a remark, such as a policy around it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same under the name that the step was given where it stands.
    pub(crate) fn renamed(mut self, name: &Name) -> Self {
        self.name = name.clone();
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What kind of primitive it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The graph as a text tree.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::draw(self)
    }

    /// The graph as a Mermaid flowchart.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        mermaid::draw(self)
    }

    /// The graph in Graphviz's DOT language.
    #[must_use]
    pub fn to_dot(&self) -> String {
        dot::draw(self)
    }

    fn label(&self) -> String {
        let mut label = self.name.to_string();
        // The kind of a plain function is no news, nor is one that repeats the name.
        if self.kind != "lambda" && self.kind != self.name.as_str() && self.kind != "pass_through" {
            label.push_str(&format!(" ({})", self.kind));
        }
        if !self.notes.is_empty() {
            label.push_str(&format!(" [{}]", self.notes.join(", ")));
        }
        one_line(&label)
    }

    /// Whether a sequence inside a drawing says more than its steps do.
    fn is_group(&self) -> bool {
        self.kind != "sequential" || !self.notes.is_empty()
    }
}

/// Names and conditions may be anything; a line break in one must not look like the drawing's own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A graph laid flat for drawing: numbered nodes and the edges between them.
#[derive(Debug, Default)]
struct Flat {
    nodes: Vec<(String, Look)>,
    edges: Vec<(usize, usize, Name)>,
    /// Nodes drawn inside a frame. An outer frame comes before those within it.
    groups: Vec<Group>,
}

/// A frame around consecutive nodes: a nested workflow, or steps under one policy.
#[derive(Debug)]
struct Group {
    label: String,
    nodes: Range<usize>,
}

/// How a node is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Step,
    Fork,
    Decision,
}

/// Where edges leave a part that was laid out, each with its label.
type Exits = Vec<(usize, Name)>;

/// An edge that no condition leads along.
const ALWAYS: Name = Name::from_static("");

impl Flat {
    fn of(graph: &Graph) -> Self {
        let mut flat = Self::default();
        match &graph.shape {
            // The drawing as a whole needs no frame.
            Shape::Sequence(steps) if graph.notes.is_empty() => flat.add_all(steps, Vec::new()),
            _ => flat.add(graph, Vec::new()),
        };
        flat
    }

    /// The frames that open before a node, and how many close after it.
    fn frames(&self, id: usize) -> (impl Iterator<Item = (usize, &str)>, usize) {
        let open = self.groups.iter().enumerate().filter(move |(_, group)| group.nodes.start == id);
        let closed = self.groups.iter().filter(|group| group.nodes.end == id + 1).count();
        (open.map(|(at, group)| (at, group.label.as_str())), closed)
    }

    fn node(&mut self, label: String, look: Look, entries: Exits) -> usize {
        let id = self.nodes.len();
        self.nodes.push((label, look));
        self.edges.extend(entries.into_iter().map(|(from, label)| (from, id, label)));
        id
    }

    fn add(&mut self, graph: &Graph, entries: Exits) -> Exits {
        match &graph.shape {
            Shape::Step => vec![(self.node(graph.label(), Look::Step, entries), ALWAYS)],
            Shape::Stop => {
                self.node(graph.label(), Look::Step, entries);
                Vec::new()
            }
            Shape::Sequence(steps) if graph.is_group() && !steps.is_empty() => {
                let (at, start) = (self.groups.len(), self.nodes.len());
                self.groups.push(Group { label: graph.label(), nodes: start..start });
                let exits = self.add_all(steps, entries);
                if let Some(group) = self.groups.get_mut(at) {
                    group.nodes.end = self.nodes.len();
                }
                exits
            }
            Shape::Sequence(steps) => self.add_all(steps, entries),
            Shape::Fan(branches) => {
                let fork = self.node(graph.label(), Look::Fork, entries);
                if branches.is_empty() {
                    return vec![(fork, ALWAYS)];
                }
                branches.iter().flat_map(|branch| self.add(branch, vec![(fork, ALWAYS)])).collect()
            }
            Shape::Choice(ways) => {
                let decision = self.node(graph.label(), Look::Decision, entries);
                ways.iter().flat_map(|(condition, way)| self.add_way(way, decision, condition)).collect()
            }
        }
    }

    fn add_all(&mut self, steps: &[Graph], entries: Exits) -> Exits {
        steps.iter().fold(entries, |entries, step| self.add(step, entries))
    }

    fn add_way(&mut self, way: &Graph, decision: usize, condition: &Name) -> Exits {
        if way.kind == "pass_through" {
            return vec![(decision, condition.clone())];
        }
        self.add(way, vec![(decision, condition.clone())])
    }
}
