//! The engine's settings: what guests may be made of, and the pool that their instances come from.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

/// Live instances at once. Each costs 4 to 7 memory maps, so that the system's default `vm.max_map_count` of 65,530
/// holds about 9,000.
pub(crate) const INSTANCES_MAX: u32 = 5_000;
/// Instances at once for the mail of one tenant: half, so that one tenant's load leaves room for the others.
pub(crate) const INSTANCES_PER_TENANT_MAX: usize = 2_500;
/// Instances that rest at once, of all plugins; beside those in use.
pub(crate) const RESTING_MAX: u32 = 1_024;
/// A component has its own core instance and two of the adapter that `wit-component` puts round it; a fourth tells its
/// state while the image is taken.
const CORE_INSTANCES_MAX: u32 = 4;
const TABLES_MAX: u32 = 4;
const TABLE_ELEMENTS_MAX: usize = 16_384;
/// What a configured `memory_bytes_max` may reach; only address space is taken for it.
pub(crate) const MEMORY_BYTES_MAX: usize = 1 << 30;
/// Kept and zeroed when an instance ends, instead of given back by a system call that serialises threads. Not below
/// the guests' initial memory: 64 KiB for Rust guests (mta-core/build.rs), 256 KiB for others.
const MEMORY_KEPT_BYTES: usize = 512 * 1024;
const TABLE_KEPT_BYTES: usize = 64 * 1024;
/// The guest's stack, and the fiber that carries it and the host functions it calls.
const STACK_BYTES_MAX: usize = 256 * 1024;
const FIBER_BYTES: usize = 768 * 1024;

/// The engine that all plugins of the narrow profile share.
///
/// # Errors
/// What the engine said, as when the address space of the pool can't be reserved.
pub(crate) fn engine(instances_max: u32) -> wasmtime::Result<Engine> {
    engine_for(instances_max.saturating_add(RESTING_MAX))
}

/// The same, with room for so many instances, used or at rest.
///
/// # Errors
/// As for `engine`.
pub(crate) fn engine_for(instances_max: u32) -> wasmtime::Result<Engine> {
    let mut config = settings();
    // A mapped image is put back by a system call and faulted in again, page by page, for each instance; guests' data
    // is small, so copying it is cheaper.
    config.memory_init_cow(false);
    config.max_wasm_stack(STACK_BYTES_MAX).async_stack_size(FIBER_BYTES);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances_max)));
    Engine::new(&config)
}

/// What all guests may be made of, and how they are stopped.
pub(crate) fn settings() -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    // Said here, so that the environment of the process does not say it. Files and lines are of the code as it was built;
    // the functions that restore an instance move it, and names alone stay true.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    // In the build because builds without them have advisories; off because no guest needs them.
    config.wasm_threads(false).shared_memory(false).gc_support(false).concurrency_support(false);
    config.wasm_memory64(false).wasm_multi_memory(false).wasm_relaxed_simd(false);
    // Small guests have small memories: what they have is what is cleared after each transaction.
    config.wasm_custom_page_sizes(true);
    config.cranelift_opt_level(OptLevel::Speed);
    // Never fuel: counting each block costs more than reading a word at each loop.
    config.epoch_interruption(true);
    config
}

fn pool(instances_max: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances_max);
    pool.total_core_instances(instances_max.saturating_mul(CORE_INSTANCES_MAX));
    pool.max_core_instances_per_component(CORE_INSTANCES_MAX);
    pool.total_memories(instances_max).max_memories_per_component(1).max_memories_per_module(1);
    pool.total_tables(instances_max.saturating_mul(TABLES_MAX)).max_tables_per_component(TABLES_MAX);
    pool.max_tables_per_module(TABLES_MAX).table_elements(TABLE_ELEMENTS_MAX);
    pool.total_stacks(instances_max);
    pool.max_memory_size(MEMORY_BYTES_MAX);
    pool.linear_memory_keep_resident(MEMORY_KEPT_BYTES).table_keep_resident(TABLE_KEPT_BYTES);
    // An open report says that swapped pages are missed.
    pool.pagemap_scan(Enabled::No);
    pool
}
