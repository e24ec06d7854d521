// What a scrub has found, added up as it goes. Lists are limited, and say what was left off; the
// verdict counts everything. Pure.
import type { BlockIndex, PeerId, ShardIndex } from '../../base/brands.js'
import { SCRUB_LISTED_MAX } from '../../base/limits.js'
import { bytesOfBlocks, offsetOfBlock, volumeOffset } from '../../layout/geometry.js'
import type { FoundFlaw, ScrubEntry } from '../../net/scrub/messages.js'

/** A block of one layer of a shard. */
export interface Place {
  readonly shard: ShardIndex
  readonly layer: number
  readonly block: BlockIndex
}

export interface PlaceResult {
  readonly shard: number
  readonly layer: number
  /** In the shard's own space. */
  readonly block: number
  /** In the volume, in bytes. */
  readonly offset: number
}

export interface RottenResult extends PlaceResult {
  readonly server: string
  readonly flaw: FoundFlaw['flaw']
  readonly outcome: FoundFlaw['outcome']
}

export interface DifferentResult extends PlaceResult {
  readonly versions: readonly (ScrubEntry & { readonly servers: readonly string[] })[]
}

export interface UncheckedResult {
  /** Null: it is not about one server. */
  readonly server: string | null
  readonly reason: string
  readonly shards: readonly number[]
}

export interface ScrubResult {
  readonly volume: string
  /** Copies of blocks whose content was read and fits, or is in `rotten`. */
  readonly blocks: number
  readonly bytes: number
  /** Copies of shards that were looked at whole. */
  readonly replicas: number
  readonly rotten: readonly RottenResult[]
  readonly different: readonly DifferentResult[]
  /** Of what is rotten. */
  readonly repaired: number
  readonly unchecked: readonly UncheckedResult[]
  /** How many more there are than the lists have. */
  readonly leftOut: {
    readonly rotten: number
    readonly different: number
    readonly unchecked: number
  }
}

export type ScrubVerdict = 'well' | 'wrong' | 'incomplete'

/** Wrong is what was not repaired; incomplete, that nothing was wrong as far as was seen. */
export function verdictOf({ rotten, different, repaired, ...rest }: ScrubResult): ScrubVerdict {
  const { leftOut, unchecked } = rest
  const bad = rotten.length + leftOut.rotten - repaired
  if (bad > 0 || different.length + leftOut.different > 0) return 'wrong'
  return unchecked.length + leftOut.unchecked > 0 ? 'incomplete' : 'well'
}

export interface ReportOptions {
  readonly volume: string
  readonly shardCount: number
  nameOf(server: PeerId): string
}

export class ScrubReport {
  readonly #o: ReportOptions
  readonly #rotten: RottenResult[] = []
  readonly #different: DifferentResult[] = []
  readonly #unchecked = new Map<
    string,
    { server: string | null; reason: string; shards: number[] }
  >()
  #blocks = 0
  #replicas = 0
  #repaired = 0
  #rottenCount = 0
  #differentCount = 0

  constructor(options: ReportOptions) {
    this.#o = options
  }

  get problems(): number {
    return this.#rottenCount + this.#differentCount
  }

  get blocks(): number {
    return this.#blocks
  }

  read(blocks: number): void {
    this.#blocks += blocks
  }

  wholeReplica(): void {
    this.#replicas++
  }

  /** Once for each flaw, when nothing more is done about it. */
  rotten(place: Omit<Place, 'block'> & { readonly server: PeerId }, found: FoundFlaw): void {
    const { flaw, outcome, block } = found
    this.#rottenCount++
    if (outcome === 'repaired') this.#repaired++
    if (this.#rotten.length >= SCRUB_LISTED_MAX) return
    const at = this.#place({ ...place, block })
    this.#rotten.push({ ...at, server: this.#o.nameOf(place.server), flaw, outcome })
  }

  /** `entries`: of each replica that has the block. */
  different(place: Place, entries: ReadonlyMap<PeerId, ScrubEntry>): void {
    this.#differentCount++
    if (this.#different.length >= SCRUB_LISTED_MAX) return
    const versions = new Map<string, ScrubEntry & { servers: string[] }>()
    for (const [server, entry] of entries) {
      const key = `${entry.state} ${entry.epoch} ${entry.checksum}`
      const version = versions.get(key) ?? { ...entry, servers: [] }
      version.servers.push(this.#o.nameOf(server))
      versions.set(key, version)
    }
    this.#different.push({ ...this.#place(place), versions: [...versions.values()] })
  }

  unchecked(shard: ShardIndex, server: PeerId | null, reason: string): void {
    const name = server === null ? null : this.#o.nameOf(server)
    const key = `${name ?? ''} ${reason}`
    const known = this.#unchecked.get(key) ?? { server: name, reason, shards: [] }
    if (!known.shards.includes(shard)) known.shards.push(shard)
    this.#unchecked.set(key, known)
  }

  result(): ScrubResult {
    const unchecked = [...this.#unchecked.values()]
      .map(one => ({ ...one, shards: one.shards.toSorted((a, b) => a - b) }))
      .sort((a, b) => (a.server ?? '').localeCompare(b.server ?? ''))
    return {
      volume: this.#o.volume,
      ...{ blocks: this.#blocks, bytes: bytesOfBlocks(this.#blocks), replicas: this.#replicas },
      rotten: this.#rotten.toSorted(byPlace),
      different: this.#different.toSorted(byPlace),
      repaired: this.#repaired,
      unchecked: unchecked.slice(0, SCRUB_LISTED_MAX),
      leftOut: {
        rotten: this.#rottenCount - this.#rotten.length,
        different: this.#differentCount - this.#different.length,
        unchecked: Math.max(0, unchecked.length - SCRUB_LISTED_MAX),
      },
    }
  }

  #place({ shard, layer, block }: Place): PlaceResult {
    const offset = volumeOffset({ shard, shardOffset: offsetOfBlock(block) }, this.#o.shardCount)
    return { shard, layer, block, offset }
  }
}

function byPlace(a: PlaceResult, b: PlaceResult): number {
  return a.offset - b.offset || a.layer - b.layer
}
