pub(crate) struct Client;
impl Client {
    pub(crate) fn connect(_: &std::path::Path) -> std::io::Result<Self> {
        Ok(Self)
    }
    pub(crate) fn request(
        &mut self,
        _: &str,
        _: &serde_json::Value,
    ) -> Result<serde_json::Value, crate::operations::Trouble> {
        Err(crate::operations::Trouble::failed("no"))
    }
}
