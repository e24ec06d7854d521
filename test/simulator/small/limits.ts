// The limits of swarmdisk, small: what fills a queue, a window, a cache or a log only under load in
// production does so here with a few calls. Times are those of production. Taken in place of
// src/base/limits.ts by processes that import register.ts.
import { BLOCK_BYTES } from '../../../src/base/limits.js'

export * from '../../../src/base/limits.js'

const KiB = 1024

/** Two shards in every volume: few places, and all clients at them. */
export const SHARDS_MIN = 1
export const SHARDS_MAX = 2

// ---- client: a FLUSH in the background after some writes
export const CLIENT_WINDOW_REQUESTS = 16
export const KEPT_WRITES_MAX = 4 * CLIENT_WINDOW_REQUESTS
export const ONCE_NUMBERS_MAX = 4 * CLIENT_WINDOW_REQUESTS
export const REPLAYS_IN_FLIGHT = 2

// ---- replication: windows, backlogs and parts of a few blocks
export const SETTLE_PART_BLOCKS = 1
export const SYNC_WINDOW = 2
export const SYNC_BACKLOG_BYTES = BLOCK_BYTES
export const FETCH_BLOCKS_MAX = 1
export const SUMMARY_PAGES = 1
export const FETCH_PAGES_AT_ONCE = 1
export const CATCH_UPS_AT_ONCE = 1
export const SHARDS_OPENED_AT_ONCE = 1
export const PARKED_PER_SHARD_MAX = 6
export const PARKED_FOR_EPOCH_MAX = 4

// ---- store: caches and logs that turn over
export const INDEX_CACHE_PAGES = 4
export const DIRTY_REGIONS_CHECKPOINT = 2
export const DIRTY_REGIONS_MAX = 2 * DIRTY_REGIONS_CHECKPOINT
export const DIRTY_LOG_BYTES = 32 * KiB
export const FREE_SPACE_RESERVE_BYTES = 16 * BLOCK_BYTES
export const MERGE_RESERVE_BYTES = FREE_SPACE_RESERVE_BYTES / 2
export const MERGES_AT_ONCE = 1
export const PUNCH_LEAST_BLOCKS = 1
export const MERGE_BYTES_PER_SECOND = 64 * KiB
export const MERGE_PIECE_BLOCKS = 2
export const MERGE_PAGES_AT_ONCE = 2
export const MERGE_REST_BLOCKS = 1
export const MERGE_ROUNDS_MAX = 2
export const MERGE_RETRY_MS = 2_000

// ---- manager: whole configurations instead of deltas, segments that rotate
export const CONFIGURATIONS_KEPT = 3
export const HISTORY_SEGMENT_RECORDS = 10
