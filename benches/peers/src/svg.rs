//! Plots as SVG that reads well by day and by night: lines named at their ends, bars with numbers.

use std::fmt::Write;

use crate::contender::Pair;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 490.0;
/// Where the axes are: left, top, right, bottom. The names of the lines stand right of them.
const PLOT: (f64, f64, f64, f64) = (70.0, 102.0, 620.0, 410.0);

const STYLE: &str = "
text { font-family: system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #343a40; font-size: 13px }
.back { fill: #ffffff } .title { font-size: 19px; font-weight: 600; fill: #111 }
.soft { fill: #6c757d; font-size: 12px } .grid { stroke: #e9ecef } .axis { stroke: #adb5bd }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round } .strong { stroke-width: 3.4 }
.ours { stroke: #0b7285 } .first { stroke: #5f3dc4 } .second { stroke: #e67700 } .third { stroke: #c92a2a } .limit { stroke: #868e96 }
.dash { stroke-dasharray: 7 4 } .dots { stroke-dasharray: 2 4 } .dot { stroke-dasharray: none; stroke-width: 1.5; fill: #ffffff }
text.ours { fill: #0b7285 } text.first { fill: #5f3dc4 } text.second { fill: #e67700 } text.third { fill: #c92a2a } text.limit { fill: #868e96 }
text[class] { stroke: none } .bold { font-weight: 600 } .bar { stroke: none } .bar.ours { fill: #0b7285 } .bar.limit { fill: #ced4da }
@media (prefers-color-scheme: dark) {
text { fill: #ced4da } .back { fill: #0d1117 } .title { fill: #f1f3f5 } .soft { fill: #909aa4 }
.grid { stroke: #21262d } .axis { stroke: #495057 } .dot { fill: #0d1117 }
.ours { stroke: #3bc9db } .first { stroke: #9775fa } .second { stroke: #ffa94d } .third { stroke: #ff8787 }
text.ours { fill: #3bc9db } text.first { fill: #9775fa } text.second { fill: #ffa94d } text.third { fill: #ff8787 }
.bar.ours { fill: #3bc9db } .bar.limit { fill: #495057 }
}
";

/// An axis: what it shows and where its ticks are; it goes from the first to the last.
pub struct Scale {
    name: &'static str,
    ticks: Vec<f64>,
    log: bool,
}

impl Scale {
    pub fn log(name: &'static str, ticks: &[f64]) -> Self {
        Self { name, ticks: ticks.to_vec(), log: true }
    }

    pub fn linear(name: &'static str, ticks: &[f64]) -> Self {
        Self { name, ticks: ticks.to_vec(), log: false }
    }

    /// The ticks cover what is measured: 1, 2 and 5 times powers of ten are added as needed.
    fn cover(&mut self, values: impl Iterator<Item = f64> + Clone) {
        let least = values.clone().fold(f64::MAX, f64::min);
        let most = values.fold(0.0, f64::max);
        while self.log && self.ticks[0] > least {
            self.ticks.insert(0, step(self.ticks[0], 1.0 / 2.0, 2.0 / 5.0));
        }
        while self.log && self.ticks[self.ticks.len() - 1] < most {
            self.ticks.push(step(self.ticks[self.ticks.len() - 1], 2.0, 2.5));
        }
    }

    /// From 0 at the first tick to 1 at the last.
    fn place(&self, value: f64) -> f64 {
        let of = |value: f64| if self.log { value.ln() } else { value };
        let (first, last) = (of(self.ticks[0]), of(self.ticks[self.ticks.len() - 1]));
        (of(value) - first) / (last - first)
    }
}

/// The next of 1, 2, 5, 10, ...: from 2 to 5, or from 5 to 2, by `odd`, else by `even`.
fn step(tick: f64, even: f64, odd: f64) -> f64 {
    let digit = tick / 10f64.powf(tick.log10().floor());
    let from_two_up = even > 1.0 && (digit - 2.0).abs() < 0.1;
    let from_five_down = even < 1.0 && (digit - 5.0).abs() < 0.1;
    tick * if from_two_up || from_five_down { odd } else { even }
}

#[derive(Clone, Copy)]
pub enum Stroke {
    Ours,
    OursToo,
    First,
    Second,
    Third,
    Limit,
}

impl Stroke {
    /// The classes of the line, and the one of its name.
    const fn classes(self) -> (&'static str, &'static str) {
        match self {
            Self::Ours => ("ours strong", "ours"),
            Self::OursToo => ("ours dash", "ours"),
            Self::First => ("first", "first"),
            Self::Second => ("second", "second"),
            Self::Third => ("third", "third"),
            Self::Limit => ("limit dots", "limit"),
        }
    }
}

pub struct Series {
    pub name: &'static str,
    pub stroke: Stroke,
    pub points: Vec<(f64, f64)>,
}

pub struct Lines {
    pub title: &'static str,
    pub subtitle: &'static str,
    pub x: Scale,
    pub y: Scale,
    pub series: Vec<Series>,
    pub conditions: String,
}

impl Lines {
    pub fn svg(mut self) -> String {
        let values =
            self.series.iter().flat_map(|series| series.points.iter().map(|point| point.1));
        self.y.cover(values.collect::<Vec<_>>().into_iter());
        let (left, top, right, bottom) = PLOT;
        let x = |value| left + self.x.place(value) * (right - left);
        let y = |value| bottom - self.y.place(value) * (bottom - top);

        let mut svg = open(self.title, self.subtitle, HEIGHT);
        for &tick in &self.y.ticks {
            let at = y(tick);
            line(&mut svg, "grid", (left, at), (right, at));
            text(&mut svg, "soft", "end", (left - 8.0, at + 4.0), &number(tick));
        }
        for &tick in &self.x.ticks {
            line(&mut svg, "axis", (x(tick), bottom), (x(tick), bottom + 5.0));
            text(&mut svg, "soft", "middle", (x(tick), bottom + 20.0), &number(tick));
        }
        line(&mut svg, "axis", (left, bottom), (right, bottom));
        text(&mut svg, "soft", "start", (left - 40.0, top - 12.0), self.y.name);
        text(&mut svg, "soft", "middle", (f64::midpoint(left, right), bottom + 40.0), self.x.name);

        let mut names = Vec::new();
        for series in &self.series {
            let (class, name) = series.stroke.classes();
            let points: Vec<_> = series.points.iter().map(|&(a, b)| (x(a), y(b))).collect();
            let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ =
                writeln!(svg, r#"<polyline class="line {class}" points="{}"/>"#, path.join(" "));
            for (x, y) in &points {
                let _ =
                    writeln!(svg, r#"<circle class="{name} dot" cx="{x:.1}" cy="{y:.1}" r="3"/>"#);
            }
            names.extend(points.last().map(|&end| (end, series.name, class, name)));
        }
        // Names stand beside the ends of their lines, in their order, apart from each other.
        names.sort_by(|a, b| a.0.1.total_cmp(&b.0.1));
        let mut from = top - 20.0;
        for ((end_x, end_y), label, class, name) in names {
            let at = end_y.max(from + 19.0);
            from = at;
            let start = right + 22.0;
            line(&mut svg, name, (end_x.max(right) + 5.0, end_y), (start - 3.0, at));
            let weight = if class.contains("strong") { "bold" } else { "" };
            text(&mut svg, &format!("{name} {weight}"), "start", (start, at + 4.0), label);
        }
        close(svg, &self.conditions, HEIGHT)
    }
}

/// Two bars for each row, ours above the peer's.
pub struct Bars<'a> {
    pub title: &'static str,
    pub subtitle: &'a str,
    pub ours: &'static str,
    pub peer: &'static str,
    pub rows: Vec<(&'static str, Pair)>,
    pub conditions: String,
}

impl Bars<'_> {
    pub fn svg(self) -> String {
        const ROW: f64 = 66.0;
        let (left, right) = (190.0, 690.0);
        let height = 110.0 + ROW * self.rows.len() as f64 + 34.0;
        let most =
            self.rows.iter().fold(0.0, |most: f64, (_, pair)| most.max(pair.ours).max(pair.peer));
        let mut svg = open(self.title, self.subtitle, height);
        text(&mut svg, "ours bold", "start", (left, 84.0), self.ours);
        text(&mut svg, "soft", "start", (left + 80.0, 84.0), self.peer);
        for ((name, pair), row) in self.rows.iter().zip(0..) {
            let top = 100.0 + ROW * f64::from(row);
            text(&mut svg, "", "end", (left - 14.0, top + 27.0), name);
            for (class, value, at) in [("ours", pair.ours, top), ("limit", pair.peer, top + 24.0)] {
                let width = value / most * (right - left);
                let _ = writeln!(
                    svg,
                    r#"<rect class="bar {class}" x="{left}" y="{at:.1}" width="{width:.1}" height="21" rx="3"/>"#
                );
                let end = (left + width + 8.0, at + 15.0);
                let text_of = match class {
                    "ours" => format!("{value:.0} ns · {:.2} times", pair.ratio),
                    _ => format!("{value:.0} ns"),
                };
                text(
                    &mut svg,
                    if class == "ours" { "bold" } else { "soft" },
                    "start",
                    end,
                    &text_of,
                );
            }
        }
        close(svg, &self.conditions, height)
    }
}

fn open(title: &str, subtitle: &str, height: f64) -> String {
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">
<style>{STYLE}</style>
<rect class="back" width="{WIDTH}" height="{height}" rx="8"/>
"#
    );
    text(&mut svg, "title", "start", (30.0, 34.0), title);
    text(&mut svg, "soft", "start", (30.0, 54.0), subtitle);
    svg
}

fn close(mut svg: String, conditions: &str, height: f64) -> String {
    text(&mut svg, "soft", "start", (30.0, height - 14.0), conditions);
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
    );
}

fn text(svg: &mut String, class: &str, anchor: &str, (x, y): (f64, f64), text: &str) {
    let _ = writeln!(
        svg,
        r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{text}</text>"#
    );
}

/// With a thin space between thousands.
fn number(value: f64) -> String {
    let digits = format!("{value}");
    match digits.len() {
        5.. if value >= 1e4 => {
            format!("{}\u{202f}{}", &digits[..digits.len() - 3], &digits[digits.len() - 3..])
        }
        _ => digits,
    }
}
