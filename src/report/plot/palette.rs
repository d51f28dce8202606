//! Colours that people with any kind of colour vision can tell apart.

/// Red, green and blue.
pub(crate) type Rgb = (u8, u8, u8);

/// Text.
pub(crate) const INK: Rgb = (0x22, 0x22, 0x22);
/// Axes and what is not the subject.
pub(crate) const MUTED: Rgb = (0x66, 0x66, 0x67);
/// Lines of the grid.
pub(crate) const GRID: Rgb = (0xE2, 0xE2, 0xE3);
/// The background.
pub(crate) const PAPER: Rgb = (0xFF, 0xFF, 0xFF);

/// The colours of Okabe and Ito (Color Universal Design, 2008) that are dark enough for lines.
const SERIES: [Rgb; 6] = [
    (0x00, 0x72, 0xB2),
    (0xD5, 0x5E, 0x00),
    (0x00, 0x9E, 0x73),
    (0xCC, 0x79, 0xA7),
    (0xE6, 0x9F, 0x00),
    (0x56, 0xB4, 0xE9),
];

/// How the series of a number is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub(super) colour: Rgb,
    /// Length of dashes and gaps; lines are whole where there are colours enough.
    pub(super) dash: Option<f64>,
    /// Which of the shapes of points.
    pub(super) shape: usize,
}

impl Style {
    pub(super) fn of(series: usize) -> Style {
        let round = series / SERIES.len();
        let dash = (round > 0).then_some(2.0 + 4.0 * (round % 3) as f64);
        Style { colour: SERIES[series % SERIES.len()], dash, shape: series % 4 }
    }
}

/// The map viridis (S. van der Walt and N. Smith, CC0) at nine places from 0 to 1.
const HEAT: [Rgb; 9] = [
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
];

/// The colour of a place between 0 and 1.
pub(super) fn heat(place: f64) -> Rgb {
    let at = place.clamp(0.0, 1.0) * (HEAT.len() - 1) as f64;
    let below = (at as usize).min(HEAT.len() - 2);
    let part = at - below as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
    let (a, b) = (HEAT[below], HEAT[below + 1]);
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}
