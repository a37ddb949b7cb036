//! Numbers that nobody foresees, the same in each run.

#[derive(Default)]
pub(crate) struct Chance(u64);

impl Chance {
    /// A number below `most`.
    pub(crate) fn draw(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}
