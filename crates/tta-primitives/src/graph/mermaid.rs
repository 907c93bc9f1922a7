//! A workflow as a Mermaid flowchart (mermaid.js.org, flowchart syntax).

use super::{Flat, Graph, Look};

pub(super) fn draw(graph: &Graph) -> String {
    let flat = Flat::of(graph);
    let mut out = String::from("flowchart TD\n");
    for (id, (label, look)) in flat.nodes.iter().enumerate() {
        let label = escape(label);
        out.push_str(&match look {
            Look::Step => format!("    n{id}[\"{label}\"]\n"),
            Look::Fork => format!("    n{id}[/\"{label}\"\\]\n"),
            Look::Decision => format!("    n{id}{{\"{label}\"}}\n"),
        });
    }
    for (from, to, condition) in &flat.edges {
        let condition = if condition.is_empty() { String::new() } else { format!("|{condition}|") };
        out.push_str(&format!("    n{from} -->{condition} n{to}\n"));
    }
    out
}

/// Inside a quoted label only the quote and markup need entities.
fn escape(label: &str) -> String {
    label.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}
