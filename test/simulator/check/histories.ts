// The calls of all clients of one volume, block by block, for the linearizability checker. A call
// over several blocks counts as one call for each: blocks are atomic, calls are not.
import type { Clock } from '../../../src/base/clock.js'
import { linearizable, type Call } from './linearizable.js'
import { SECTORS_PER_BLOCK, type Sectors } from './volume-model.js'

type Open = { -readonly [K in keyof Call]: Call[K] }

export class Histories {
  readonly #clock: Clock
  readonly #blocks = new Map<number, Open[]>()
  #calls = 0
  #unproved = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get calls(): number {
    return this.#calls
  }

  /** Blocks that findings() could not judge. */
  get unproved(): number {
    return this.#unproved
  }

  write(who: string, range: Sectors, value: number): () => void {
    const values = new Array<number>(range.count).fill(value)
    const parts = this.#begin({ who, kind: 'write', range, values })
    return () => {
      for (const part of parts) part.until = this.#now
    }
  }

  /** Call the result with what was read. */
  read(who: string, range: Sectors): (values: readonly number[]) => void {
    const from = this.#now
    return values => {
      for (const part of this.#begin({ who, kind: 'read', range, values })) {
        part.from = from
        part.until = this.#now
      }
    }
  }

  /** One line for each block that is not linearizable. */
  findings(): string[] {
    return [...this.#blocks].flatMap(([block, calls]) => {
      const verdict = linearizable(calls, SECTORS_PER_BLOCK)
      if (verdict.kind === 'yes') return []
      if (verdict.kind === 'too many') {
        this.#unproved++
        return []
      }
      const { call } = verdict
      const near = calls.filter(other => other.until >= call.from - 50 && other.from <= call.until)
      return [
        `I1: block ${block} is not linearizable: ${shown(call)}`,
        ...near.slice(-40).map(other => `    ${shown(other)}`),
      ]
    })
  }

  get #now(): number {
    return this.#clock.now()
  }

  #begin(call: {
    readonly who: string
    readonly kind: Call['kind']
    readonly range: Sectors
    readonly values: readonly number[]
  }): Open[] {
    const { who, kind, range, values } = call
    const parts: Open[] = []
    const end = range.first + range.count
    for (let at = range.first; at < end;) {
      const block = Math.floor(at / SECTORS_PER_BLOCK)
      const next = Math.min(end, (block + 1) * SECTORS_PER_BLOCK)
      const part: Open = {
        ...{ who, kind, first: at - block * SECTORS_PER_BLOCK },
        values: values.slice(at - range.first, next - range.first),
        ...{ from: this.#now, until: Infinity },
      }
      this.#calls++
      const list = this.#blocks.get(block)
      if (list) list.push(part)
      else this.#blocks.set(block, [part])
      parts.push(part)
      at = next
    }
    return parts
  }
}

function shown({ who, kind, first, values, from, until }: Call): string {
  const sectors = `${first}-${first + values.length - 1}`
  return `${who} ${kind} ${sectors} = ${values.join(' ')} [${from.toFixed(3)}, ${until.toFixed(3)}]`
}
