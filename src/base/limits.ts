// Every size, queue, wait and retry of swarmdisk that has a limit, with the reason for its value
// (invariant I9). Relations between limits are asserted where they are loaded, at the end.
import { assert } from './assert.js'

const KiB = 1024
const MiB = 1024 * KiB

/** The unit of atomic writing, checksumming and copy-on-write: the page size of every host. */
export const BLOCK_BYTES = 4 * KiB
/** The striping unit: long enough for a sequential reader to stay on one disk, short enough to spread. */
export const EXTENT_BYTES = 4 * MiB
export const BLOCKS_PER_EXTENT = EXTENT_BYTES / BLOCK_BYTES
/** One index entry: epoch and state in 32 bits, crc32 in 32 bits. */
export const INDEX_ENTRY_BYTES = 8
/** One index page describes 512 blocks: the dirty region and the unit of comparison (2 MiB). */
export const BLOCKS_PER_INDEX_PAGE = BLOCK_BYTES / INDEX_ENTRY_BYTES

export const SHARDS_MIN = 8
export const SHARDS_MAX = 1024
export const REPLICAS_MAX = 7
/** Raft groups beyond five only vote more slowly. */
export const MANAGERS_MAX = 5
/** A volume above this would need more than 2^32 extents' worth of bookkeeping in a client. */
export const VOLUME_BYTES_MAX = 64 * 1024 * 1024 * MiB
export const VOLUMES_MAX = 4096
export const SERVERS_MAX = 4096
/** Volume, server and domain names: they become file names, and columns of tables. */
export const NAME_LENGTH_MAX = 64
/** Deleted volumes a configuration remembers, so that a server that was away may drop their data. */
export const DELETED_VOLUMES_REMEMBERED = 4096

/** Payload of one read or write: FUSE asks for at most 1 MiB at a time. */
export const REQUEST_BYTES_MAX = 1 * MiB
/** One frame of a link: a payload, its header, and room for a whole configuration. */
export const FRAME_BYTES_MAX = 15 * MiB
/** Small messages of one turn share a frame up to this size. */
export const FRAME_BATCH_BYTES = 64 * KiB

/** A proof, a hello and nothing else may pass before this. */
export const ADMISSION_TIMEOUT_MS = 5_000
/** Own heartbeat of every link; `close` events come far too late (field notes 3.3). */
export const PING_INTERVAL_MS = 1_000
/** A link without a sign of life for this long is dead. Above any pause a busy host takes. */
export const LINK_SILENCE_MS = 6_000
/** Known members are redialled this often. */
export const REDIAL_INTERVAL_MS = 1_500

// ---- command line ----------------------------------------------------------------------------

/** Bodies on the local control socket: a status of the largest cluster is a few MiB. */
export const CONTROL_BODY_BYTES_MAX = 64 * MiB
/** A command gives up on a silent cluster after this; long enough to find it through a slow DHT. */
export const COMMAND_DEADLINE_MS = 15_000
/** A process that joins waits this long for its manager before it says that it still waits. */
export const JOIN_NOTICE_MS = 10_000
/** A clean stop may take this long before the process leaves anyway; blocks are safe by then. */
export const STOP_DEADLINE_MS = 10_000

assert(BLOCKS_PER_EXTENT % BLOCKS_PER_INDEX_PAGE === 0, 'an extent has whole index pages')
assert(REQUEST_BYTES_MAX + 64 * KiB <= FRAME_BYTES_MAX, 'a full request fits a frame')
assert(REQUEST_BYTES_MAX <= EXTENT_BYTES, 'a request spans at most two extents')
assert(LINK_SILENCE_MS >= 3 * PING_INTERVAL_MS, 'one lost ping does not kill a link')
