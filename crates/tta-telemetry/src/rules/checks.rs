//! The part of the grammar behind a text or an attribute: what it is compared with.

use super::ast::{Check, Literal, Order, Pattern};
use super::error::RuleError;
use super::lexer::Token;
use super::numbers;
use super::parser::{ORDER, Parsed, Parser, SAME};
use crate::pattern;

const MOST_LITERALS: usize = 100;
const CHECKS: &[&str] = &["exists", "contains", "starts_with", "ends_with", "matches", "in"];
const ABOUT: &str = "`exists`, `contains`, `starts_with`, `ends_with`, `matches` or `in`";

impl Parser<'_> {
    /// What a text (`text_only`) or an attribute is asked.
    pub(super) fn check(&mut self, text_only: bool) -> Parsed<Check> {
        let found = self.peek().clone();
        if let Some(order) = self.comparison() {
            if text_only && !order.is_same() {
                return Err(self.refuse(&found, format!("{SAME}, {ABOUT}"), &[]));
            }
            return self.literal(text_only, order).map(|literal| Check::Compare(order, literal));
        }
        let found = self.next();
        let Token::Word(word) = &found.token else {
            return Err(self.refuse(&found, format!("{}, {ABOUT}", if text_only { SAME } else { ORDER }), &[]));
        };
        match word.as_str() {
            "exists" => Ok(Check::Exists),
            "contains" => self.text().map(Check::Contains),
            "starts_with" => self.text().map(Check::StartsWith),
            "ends_with" => self.text().map(Check::EndsWith),
            "matches" => self.regex().map(Check::Matches),
            "in" => self.list(|parser| parser.literal(text_only, Order::Equal)).map(Check::In),
            _ => Err(self.refuse(&found, format!("{}, {ABOUT}", if text_only { SAME } else { ORDER }), CHECKS)),
        }
    }

    fn text(&mut self) -> Parsed<String> {
        let found = self.next();
        match found.token {
            Token::Text(text) => Ok(text),
            _ => Err(self.refuse(&found, "a text in quotes", &[])),
        }
    }

    fn regex(&mut self) -> Parsed<Pattern> {
        let found = self.next();
        let Token::Regex(text) = &found.token else {
            return Err(self.refuse(&found, "a pattern, such as `/^a+$/`", &[]));
        };
        pattern::compile(text).map(Pattern).map_err(|problem| {
            let inside = text.char_indices().nth(problem.column - 1).map_or(text.len(), |(place, _)| place);
            RuleError::at(
                self.text,
                found.start + 1 + inside,
                "a wrong pattern",
                format!("a regex: {}", problem.message),
            )
        })
    }

    /// What is compared with: a text, and for attributes a number or truth.
    fn literal(&mut self, text_only: bool, order: Order) -> Parsed<Literal> {
        let found = self.next();
        let number = numbers::literal(&found.token);
        match &found.token {
            Token::Text(text) if order.is_same() => return Ok(Literal::Text(text.clone())),
            Token::Word(word) if order.is_same() && !text_only && matches!(word.as_str(), "true" | "false") => {
                return Ok(Literal::Bool(word == "true"));
            }
            Token::Number { .. } if !text_only && number.is_some() => {
                return number.ok_or_else(|| self.refuse(&found, "", &[]));
            }
            _ => {}
        }
        let expected = match (text_only, order.is_same()) {
            (true, _) => "a text in quotes",
            (false, true) => "a text in quotes, a number without a unit, `true` or `false`",
            (false, false) => "a number without a unit",
        };
        Err(self.refuse(&found, expected, &["true", "false"]))
    }

    /// At least one, in brackets.
    pub(super) fn list<T>(&mut self, one: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.sign("[", "`[` and a list")?;
        let mut all = vec![one(self)?];
        loop {
            if self.take_sign("]") {
                return Ok(all);
            }
            self.sign(",", "`,` or `]`")?;
            if all.len() == MOST_LITERALS {
                let found = self.next();
                return Err(self.refuse(&found, format!("at most {MOST_LITERALS} in a list"), &[]));
            }
            all.push(one(self)?);
        }
    }
}
