// Whether the history of one block is linearizable (I1): whether there is one order of its reads
// and writes in which each happens at one moment between its call and its end, and every read sees
// the newest write of every sector. A call that has not ended may have happened at any time since,
// or never. Just-in-time linearization (Lowe): time goes forward, and at the end of each call only
// those of the possible worlds are kept in which it has happened.
import { assert } from '../../../src/base/assert.js'

/** Sectors of the block, `first` to `first + values.length - 1`, with what was written or read. */
export interface Call {
  readonly kind: 'read' | 'write'
  readonly first: number
  readonly values: readonly number[]
  readonly from: number
  /** Infinity: it has not ended. */
  readonly until: number
  /** For people: who called. */
  readonly who: string
}

interface World {
  readonly sectors: readonly number[]
  /** Calls under way that have happened: their numbers, sorted. */
  readonly happened: readonly number[]
}

interface Open extends Call {
  readonly number: number
}

export type Verdict =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no'; readonly call: Call }
  /** Of possible worlds: nothing was proved. */
  | { readonly kind: 'too many' }

/** Contended blocks have at most some hundreds. */
const WORLDS_MAX = 20_000

export function linearizable(calls: readonly Call[], sectors: number): Verdict {
  const events = calls
    .filter(call => call.kind === 'write' || call.until < Infinity)
    .map((call, number): Open => ({ ...call, number }))
    .flatMap(call => [
      { at: call.from, ends: false, call },
      { at: call.until, ends: true, call },
    ])
    .filter(event => event.at < Infinity)
    // What ends at the moment at which another begins may overlap it.
    .sort((a, b) => a.at - b.at || Number(a.ends) - Number(b.ends) || a.call.number - b.call.number)
  const open = new Set<Open>()
  let worlds: readonly World[] = [{ sectors: new Array<number>(sectors).fill(0), happened: [] }]
  for (const { ends, call } of events) {
    if (!ends) {
      open.add(call)
      continue
    }
    const reached = reach(worlds, open, call)
    if (reached === null) return { kind: 'too many' }
    if (reached.length === 0) return { kind: 'no', call }
    open.delete(call)
    worlds = forget(reached, call)
  }
  return { kind: 'yes' }
}

/** All worlds in which the call has happened, whatever else that is under way happened before. */
function reach(
  worlds: readonly World[],
  open: ReadonlySet<Open>,
  call: Open,
): readonly World[] | null {
  const reads = [...open].filter(other => other.kind === 'read')
  const writes = [...open].filter(other => other.kind === 'write')
  const seen = new Set<string>()
  const reached: World[] = []
  const todo = worlds.map(world => withReads(world, reads))
  for (let world = todo.pop(); world; world = todo.pop()) {
    const name = nameOf(world)
    if (seen.has(name)) continue
    seen.add(name)
    if (seen.size > WORLDS_MAX) return null
    if (world.happened.includes(call.number)) {
      reached.push(world)
      continue
    }
    for (const write of writes) {
      if (world.happened.includes(write.number)) continue
      todo.push(withReads(afterWrite(world, write), reads))
    }
  }
  return reached
}

/** A read that fits changes nothing, so it may as well happen at once. */
function withReads(world: World, reads: readonly Open[]): World {
  const { happened, sectors } = world
  const fit = reads.filter(
    ({ first, values, number }) =>
      !happened.includes(number) && values.every((value, i) => sectors[first + i] === value),
  )
  return fit.length === 0 ? world : { sectors, happened: sorted(happened, fit) }
}

function afterWrite({ sectors, happened }: World, call: Open): World {
  assert(call.first + call.values.length <= sectors.length, 'a call within one block')
  const next = [...sectors]
  call.values.forEach((value, i) => (next[call.first + i] = value))
  return { sectors: next, happened: sorted(happened, [call]) }
}

function sorted(happened: readonly number[], more: readonly Open[]): readonly number[] {
  return [...happened, ...more.map(call => call.number)].sort((a, b) => a - b)
}

/** The call is over; worlds that differ in it alone are one. */
function forget(worlds: readonly World[], call: Open): readonly World[] {
  const left = new Map<string, World>()
  for (const { sectors, happened } of worlds) {
    const world = { sectors, happened: happened.filter(number => number !== call.number) }
    left.set(nameOf(world), world)
  }
  return [...left.values()]
}

function nameOf({ sectors, happened }: World): string {
  return `${sectors.join(' ')}|${happened.join(' ')}`
}
