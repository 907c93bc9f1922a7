//! A workflow as a text tree.

use super::{Graph, Shape, one_line};

pub(super) fn draw(graph: &Graph) -> String {
    let mut out = graph.label();
    out.push('\n');
    children(graph, "", &mut out);
    out
}

fn children(graph: &Graph, indent: &str, out: &mut String) {
    let parts: Vec<(&str, &Graph)> = match &graph.shape {
        Shape::Step | Shape::Stop => return,
        Shape::Sequence(parts) | Shape::Fan(parts) => parts.iter().map(|part| ("", part)).collect(),
        Shape::Choice(ways) => ways.iter().map(|(condition, way)| (condition.as_str(), way)).collect(),
    };
    let last = parts.len().saturating_sub(1);
    for (at, (condition, part)) in parts.into_iter().enumerate() {
        let (branch, rule) = if at == last { ("╰─ ", "   ") } else { ("├─ ", "│  ") };
        let condition = if condition.is_empty() { String::new() } else { format!("{}: ", one_line(condition)) };
        out.push_str(&format!("{indent}{branch}{condition}{}\n", part.label()));
        children(part, &format!("{indent}{rule}"), out);
    }
}
