//! A workflow in Graphviz's DOT language (graphviz.org/doc/info/lang.html).

use super::{Flat, Graph, Look, one_line};

pub(super) fn draw(graph: &Graph) -> String {
    let flat = Flat::of(graph);
    let mut out = format!("digraph \"{}\" {{\n    node [shape=box];\n", escape(graph.name()));
    let mut indent = String::from("    ");
    for (id, (label, look)) in flat.nodes.iter().enumerate() {
        let (open, closed) = flat.frames(id);
        for (frame, title) in open {
            out.push_str(&format!("{indent}subgraph cluster_{frame} {{\n{indent}    label=\"{}\";\n", escape(title)));
            indent.push_str("    ");
        }
        let shape = match look {
            Look::Step => "",
            Look::Fork => ", shape=trapezium",
            Look::Decision => ", shape=diamond",
        };
        out.push_str(&format!("{indent}n{id} [label=\"{}\"{shape}];\n", escape(label)));
        for _ in 0..closed {
            indent.truncate(indent.len() - 4);
            out.push_str(&format!("{indent}}}\n"));
        }
    }
    for (from, to, condition) in &flat.edges {
        let label = if condition.is_empty() { String::new() } else { format!(" [label=\"{}\"]", escape(condition)) };
        out.push_str(&format!("    n{from} -> n{to}{label};\n"));
    }
    out.push_str("}\n");
    out
}

/// In a quoted string the quote is escaped, and so is the backslash, or it would escape.
fn escape(label: &str) -> String {
    one_line(label).replace('\\', "\\\\").replace('"', "\\\"")
}
