// What a scrub asks of storage servers, as types. It is a client that compares what they answer;
// nothing of it is remembered on a server between two questions.
import type { BlockIndex, Epoch, PeerId } from '../../base/brands.js'
import type { ShardMessage } from '../messages.js'

export const SCRUB_MODES = ['entries', 'check', 'repair'] as const
/**
 * - `entries`: the index page alone, as it is now;
 * - `check`: every block of it is read from the disk as well;
 * - `repair`: and what is rotten is replaced by a good copy.
 */
export type ScrubMode = (typeof SCRUB_MODES)[number]

export interface ScrubRequest extends ShardMessage {
  readonly layer: number
  /** About the first index page from here on, and before `end`, that has an entry. */
  readonly page: number
  readonly end: number
  /** If it is `page` itself, it was read before up to this block of it, from 0 to 511. */
  readonly first: number
  readonly mode: ScrubMode
}

export const SCRUB_STATUSES = ['ok', 'busy', 'refused', 'failed'] as const
/**
 * - `busy`: ask again later;
 * - `refused`: this server is not in-sync under that allocation, or does not know it;
 * - `failed`: its disk cannot be read.
 */
export type ScrubStatus = (typeof SCRUB_STATUSES)[number]

export const FLAWS = ['data', 'unreadable'] as const
/**
 * - `data`: the block's content, or its entry, does not fit;
 * - `unreadable`: the disk refuses to read it.
 */
export type Flaw = (typeof FLAWS)[number]

export const FLAW_OUTCOMES = ['reported', 'repaired', 'no-copy', 'not-now'] as const
/**
 * - `reported`: left as it is, as was asked;
 * - `no-copy`: no in-sync replica has a good one;
 * - `not-now`: a replica that may have one could not be asked, or the disk would not take it.
 */
export type FlawOutcome = (typeof FLAW_OUTCOMES)[number]

export interface FoundFlaw {
  readonly block: BlockIndex
  readonly flaw: Flaw
  readonly outcome: FlawOutcome
}

export interface ScrubReply {
  readonly status: ScrubStatus
  /** Of this server's copy of the shard; 0 if it has none. */
  readonly allocation: Epoch
  /** Nothing of [asked page, page) has an entry. */
  readonly page: number
  /** This page has: `payload` is it. False: the server has looked no further, or there is none. */
  readonly found: boolean
  /** Blocks of the page whose content was read for this answer. */
  readonly blocks: number
  /** Blocks of the page before this one were read, now or before: 512 if it is done. */
  readonly upTo: number
  readonly flaws: readonly FoundFlaw[]
  /** 512 entries of 8 bytes, after repairs; or nothing. */
  readonly payload: Uint8Array
}

/** Compare these blocks with another replica's, exactly: while nobody writes them. */
export interface ScrubCompareRequest extends ShardMessage {
  readonly layer: number
  readonly block: BlockIndex
  /** Within one index page. */
  readonly blocks: number
  readonly other: PeerId
}

export const BLOCK_STATES = ['absent', 'data', 'zeroes'] as const

/** What a replica's index says of a block (docs/on-disk-format.md). */
export interface ScrubEntry {
  readonly state: (typeof BLOCK_STATES)[number]
  readonly epoch: Epoch
  readonly checksum: number
}

export interface DifferentEntries {
  readonly block: BlockIndex
  readonly own: ScrubEntry
  readonly other: ScrubEntry
}

export interface ScrubCompareReply {
  readonly status: ScrubStatus
  readonly allocation: Epoch
  /** Both replicas have every write of these blocks, and still they are not equal. */
  readonly different: readonly DifferentEntries[]
  /** Of these nothing can be said now: they were written meanwhile, or the other did not answer. */
  readonly open: readonly BlockIndex[]
}
