//! The host functions for what the operator and the system supply, on the scene.

use super::scene;

pub(crate) mod random {
    //! Octets that follow from the scene's number (SplitMix64), so that a test can be run again.

    pub(crate) fn bytes(len: u32) -> Vec<u8> {
        let mut octets = Vec::new();
        while octets.len() < len.min(65_536) as usize {
            octets.extend(super::scene(|scene| next(&mut scene.random)).to_le_bytes());
        }
        octets.truncate(len as usize);
        octets
    }

    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn random_octets_follow_from_the_scenes_number() {
        let (one, other) = (random::bytes(20), random::bytes(20));
        assert_eq!((one.len(), other.len()), (20, 20));
        assert_ne!(one, other);
        scene(|scene| scene.random = 0);
        assert_eq!(random::bytes(20), one);
        assert_eq!(random::bytes(100_000).len(), 65_536);
        assert_ne!(random::number(), random::number());
    }
}
