//! Families of metrics, and the text they become. Pure.

use std::fmt::Write;

/// A family of metrics: a number, or several, of each `T`.
pub(super) struct Metric<T> {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: Value<T>,
}

/// How many samples a family has of one `T`.
enum Value<T> {
    One(fn(&T) -> f64),
    /// None while there is no such number.
    AtMostOne(fn(&T) -> Option<f64>),
    /// One for each value of this label.
    By(&'static str, fn(&T) -> Vec<(&'static str, f64)>),
}

/// A number that rises and falls.
pub(super) const fn gauge<T>(
    name: &'static str,
    help: &'static str,
    value: fn(&T) -> f64,
) -> Metric<T> {
    Metric { name, kind: "gauge", help, value: Value::One(value) }
}

/// A number that rises and falls, and is not always there.
pub(super) const fn gauge_if<T>(
    name: &'static str,
    help: &'static str,
    value: fn(&T) -> Option<f64>,
) -> Metric<T> {
    Metric { name, kind: "gauge", help, value: Value::AtMostOne(value) }
}

/// Numbers that rise and fall, one for each value of a label.
pub(super) const fn gauge_by<T>(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: fn(&T) -> Vec<(&'static str, f64)>,
) -> Metric<T> {
    Metric { name, kind: "gauge", help, value: Value::By(label, values) }
}

/// A number that only rises, until its process begins anew.
pub(super) const fn counter<T>(
    name: &'static str,
    help: &'static str,
    value: fn(&T) -> f64,
) -> Metric<T> {
    Metric { name, kind: "counter", help, value: Value::One(value) }
}

/// A yes or no.
pub(super) fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

/// Names of labels and their values.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Text in the making.
#[derive(Default)]
pub(super) struct Page {
    pub(super) text: String,
}

// === impl Page ===

impl Page {
    /// Families of each of these things.
    pub(super) fn families<T>(
        &mut self,
        metrics: &[Metric<T>],
        things: &[T],
        labels: for<'a> fn(&'a T) -> Labels<'a>,
    ) {
        for metric in metrics {
            self.family(metric.name, metric.kind, metric.help);
            for thing in things {
                let labels = labels(thing);
                match metric.value {
                    Value::One(value) => self.sample(metric.name, &labels, value(thing)),
                    Value::AtMostOne(value) => {
                        value(thing)
                            .into_iter()
                            .for_each(|value| self.sample(metric.name, &labels, value));
                    }
                    Value::By(label, values) => {
                        for (part, value) in values(thing) {
                            let labels = [&labels[..], &[(label, part)]].concat();
                            self.sample(metric.name, &labels, value);
                        }
                    }
                }
            }
        }
    }

    /// The head of a family; its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// A sample of the family begun last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        writeln!(self.text, "{text}").unwrap_or_default();
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
