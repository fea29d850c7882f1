//! The host functions of the grants `random`, `secrets:<name>` and `hmac:<name>`.

use super::super::host::bindings::mailwright::plugin as wire;
use super::super::host::call::Call;

/// What one call of `bytes` gives at most.
const RANDOM_BYTES_MAX: usize = 64 * 1024;

impl wire::secrets::Host for Call {
    /// Seen in `configure`, it would be in the image, and with that in the compiled code that is kept on the disk: no
    /// image is taken then.
    fn get(&mut self, name: String) -> Option<Vec<u8>> {
        let octets = self.plugin.grants.secret(&name)?.octets().to_vec();
        self.saw |= self.configuring;
        Some(octets)
    }

    fn hmac_sha256(&mut self, secret: String, data: Vec<u8>) -> Option<Vec<u8>> {
        self.hashed(data.len());
        self.plugin.grants.key(&secret).map(|key| key.hmac_sha256(&data))
    }
}

impl wire::random::Host for Call {
    /// Never from an image: drawn in `configure`, they would be the same for every message, so no image is taken then.
    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        self.drew |= self.configuring;
        let mut octets = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(RANDOM_BYTES_MAX)];
        self.hashed(octets.len());
        self.world.reach.dice.fill(&mut octets)?;
        Ok(octets)
    }
}
