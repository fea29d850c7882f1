//! The wide engine: few instances, each large, each made anew for one call out of an image that is mapped.
//!
//! A narrow guest's image is some KiB, and copying it is cheaper than mapping it. An interpreter's is megabytes, of which a
//! call touches a tenth: mapped, only what is written is copied, and dropping the instance gives that back.

use super::super::host::engine::{self, MEMORY_BYTES_MAX, settings};
use super::needs::Profile;
use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Wide instances at once, of all plugins. An instance lives for one call, so this bounds calls: each runs on a processor,
/// or waits for an answer from the network or a disk.
pub(crate) const INSTANCES_MAX: u32 = 64;
/// And of one tenant's mail, of all plugins: half, so that one tenant does not keep all others waiting.
pub(crate) const INSTANCES_PER_TENANT_MAX: usize = 32;
/// CPython is fourteen modules, and each library in C that a script brings is one more.
const CORE_INSTANCES_MAX: u32 = 64;
/// Components that wrap others have memories of their own.
const MEMORIES_MAX: u32 = 4;
const TABLES_MAX: u32 = 16;
const TABLE_ELEMENTS_MAX: usize = 65_536;
/// An interpreter's own recursion runs on this stack.
const STACK_BYTES_MAX: usize = 1024 * 1024;
const FIBER_BYTES: usize = STACK_BYTES_MAX + 512 * 1024;
/// Images with holes are mapped whole up to this size.
const IMAGE_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Nothing of a used memory is cleared by hand: the system takes its pages back.
const MEMORY_KEPT_BYTES: usize = 0;
const TABLE_KEPT_BYTES: usize = 64 * 1024;

/// The engine of the wide profile, with room for so many instances at once.
///
/// # Errors
/// What the engine said, as when the address space of the pool can't be reserved.
pub(crate) fn engine(instances_max: u32) -> wasmtime::Result<Engine> {
    let mut config = settings();
    // Calls between components within one another copy from one memory to another, in modules that the engine makes.
    config.wasm_multi_memory(true);
    config.memory_init_cow(true).memory_guaranteed_dense_image_size(IMAGE_BYTES_MAX);
    config.max_wasm_stack(STACK_BYTES_MAX).async_stack_size(FIBER_BYTES);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances_max)));
    Engine::new(&config)
}

/// An engine that makes code for the profile's: all settings are the same, but there is room for one instance alone.
/// Address space for thousands would be counted against the limits of the process that compiles.
///
/// # Errors
/// As for `engine`.
pub fn compiling_engine(profile: Profile) -> wasmtime::Result<Engine> {
    match profile {
        Profile::Narrow => engine::engine_for(1),
        Profile::Wide => engine(1),
    }
}

fn pool(instances_max: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances_max).total_stacks(instances_max);
    pool.total_core_instances(instances_max.saturating_mul(CORE_INSTANCES_MAX));
    pool.max_core_instances_per_component(CORE_INSTANCES_MAX);
    pool.total_memories(instances_max.saturating_mul(MEMORIES_MAX)).max_memories_per_component(MEMORIES_MAX);
    pool.total_tables(instances_max.saturating_mul(TABLES_MAX)).max_tables_per_component(TABLES_MAX);
    pool.max_tables_per_module(TABLES_MAX).table_elements(TABLE_ELEMENTS_MAX);
    pool.max_memory_size(MEMORY_BYTES_MAX);
    pool.linear_memory_keep_resident(MEMORY_KEPT_BYTES).table_keep_resident(TABLE_KEPT_BYTES);
    // An open report says that swapped pages are missed.
    pool.pagemap_scan(Enabled::No);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{DefaultHasher, Hash, Hasher};

    #[test]
    fn what_one_compiles_the_other_takes() {
        let hash = |engine: Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let narrow = engine::engine(engine::INSTANCES_MAX).expect("an engine");
        let wide = engine(INSTANCES_MAX).expect("an engine");
        let compiling = |profile| hash(compiling_engine(profile).expect("an engine"));
        let (narrow, wide) = (hash(narrow), hash(wide));
        assert_eq!([compiling(Profile::Narrow), compiling(Profile::Wide)], [narrow, wide]);
        assert_ne!(narrow, wide, "the cache of code would take one for the other");
    }
}
