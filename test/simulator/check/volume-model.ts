// What every sector (512 bytes) of a volume may hold, as a checker sees it that knows every write.
// One client writes; any number read. Each write fills its sectors with its value; values grow, and
// the client keeps overlapping writes in order, so of two values in one sector the larger is newer.
//
// - A read returns a value that was written, not older than what was acknowledged, or seen by
//   another read, before it began (never new-then-old).
// - Blocks are atomic: who sees a write in one sector of a block sees it, or newer, in all others
//   that it filled there.
// - After the writer's death, what was flushed stays, or something written later. So it is with
//   what was seen of a dead writer and not flushed, when all servers lose their memory.
import { BLOCK_BYTES } from '../../../src/base/limits.js'

export const SECTOR_BYTES = 512
export const SECTORS_PER_BLOCK = BLOCK_BYTES / SECTOR_BYTES

export interface Sectors {
  readonly first: number
  readonly count: number
}

export interface ReadTicket {
  readonly range: Sectors
  readonly floors: readonly number[]
  readonly losses: number
}

export interface FlushTicket {
  readonly acknowledged: ReadonlyMap<number, number>
  readonly seen: ReadonlyMap<number, number>
  readonly losses: number
}

export class VolumeModel {
  readonly #writes = new Map<number, Sectors>()
  /** Values written to each sector, by any client. */
  readonly #written = new Map<number, Set<number>>()
  /** By the living writer. */
  #acknowledged = new Map<number, number>()
  readonly #flushed = new Map<number, number>()
  /** The oldest value that may still be read. */
  readonly #seen = new Map<number, number>()
  #losses = 0

  beginWrite(range: Sectors, value: number): void {
    this.#writes.set(value, range)
    for (const sector of each(range)) {
      const values = this.#written.get(sector) ?? new Set([0])
      this.#written.set(sector, values.add(value))
    }
  }

  acknowledge(value: number): void {
    const range = this.#writes.get(value)
    if (!range) throw new Error(`${value} was never written`)
    for (const sector of each(range)) {
      raise(this.#acknowledged, sector, value)
      raise(this.#seen, sector, value)
    }
  }

  beginFlush(): FlushTicket {
    return {
      acknowledged: new Map(this.#acknowledged),
      seen: new Map(this.#seen),
      losses: this.#losses,
    }
  }

  flushed(ticket: FlushTicket): void {
    const covered = ticket.losses === this.#losses ? ticket.seen : ticket.acknowledged
    for (const [sector, value] of covered) raise(this.#flushed, sector, value)
  }

  beginRead(range: Sectors): ReadTicket {
    const floors = each(range).map(sector => this.#seen.get(sector) ?? 0)
    return { range, floors, losses: this.#losses }
  }

  /** What is wrong with what was read, for each sector one value. */
  endRead({ range, floors, losses }: ReadTicket, values: readonly number[]): string[] {
    const found: string[] = []
    const disturbed = losses !== this.#losses
    each(range).forEach((sector, i) => {
      const value = values[i] ?? 0
      const safe = Math.max(this.#flushed.get(sector) ?? 0, this.#acknowledged.get(sector) ?? 0)
      const floor = disturbed ? Math.min(floors[i] ?? 0, safe) : (floors[i] ?? 0)
      if (value < floor) found.push(`sector ${sector}: read ${value}, after ${floor}`)
      if (value !== 0 && !this.#written.get(sector)?.has(value)) {
        found.push(`sector ${sector}: read ${value}, which was never written there`)
      }
      if (!disturbed) raise(this.#seen, sector, value)
    })
    return [...found, ...this.#torn(range, values)]
  }

  #torn(range: Sectors, values: readonly number[]): string[] {
    const found: string[] = []
    values.forEach((value, i) => {
      const write = this.#writes.get(value)
      if (!write) return
      const sector = range.first + i
      const block = Math.floor(sector / SECTORS_PER_BLOCK) * SECTORS_PER_BLOCK
      for (let other = block; other < block + SECTORS_PER_BLOCK; other++) {
        const theirs = values[other - range.first]
        if (theirs === undefined || other < write.first) continue
        if (other >= write.first + write.count || theirs >= value) continue
        found.push(`torn block: sector ${sector} has ${value}, sector ${other} has ${theirs}`)
      }
    })
    return found
  }

  /** Servers died: what nobody flushed or remembers may be gone. */
  memoryMayBeLost(): void {
    this.#losses++
    for (const sector of this.#seen.keys()) {
      const flushed = this.#flushed.get(sector) ?? 0
      this.#seen.set(sector, Math.max(flushed, this.#acknowledged.get(sector) ?? 0))
    }
  }

  /** From now on only what was flushed is owed. */
  writerDied(): void {
    this.#acknowledged = new Map()
  }

  sectors(): readonly number[] {
    return [...this.#written.keys()].sort((a, b) => a - b)
  }
}

function each({ first, count }: Sectors): number[] {
  return Array.from({ length: count }, (_, i) => first + i)
}

function raise(map: Map<number, number>, sector: number, value: number): void {
  if (value > (map.get(sector) ?? 0)) map.set(sector, value)
}
