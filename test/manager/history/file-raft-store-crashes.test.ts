// A random life of a RaftStore with crashes, kills and full disks at every point: whatever happens,
// the next start finds what was there before the operation in flight, or after it, and never a mix;
// and nothing that was answered is missing, nothing that was replaced is back.
import test from 'tape'
import { isSwarmdiskError, SwarmdiskError } from '../../../src/base/errors.js'
import type { OpenedRaftStore, RaftBatch } from '../../../src/manager/history/raft-store.js'
import { epochOfRecord } from '../../../src/manager/history/history-record.js'
import type { LogEntry } from '../../../src/net/manager-messages.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import type { SimulatedDisk } from '../../simulator/simulated-disk.js'
import { emptyDisk } from './history-fixture.js'
import {
  afterBatch,
  afterCompaction,
  at,
  batch,
  differences,
  emptyEntry,
  EMPTY,
  entry,
  failureOf,
  hardState,
  lastOf,
  openStore,
  snapshotAt,
  type Model,
} from './raft-store-fixture.js'

interface Operation {
  readonly what: string
  readonly after: Model
  run(opened: OpenedRaftStore): Promise<void>
}

function persisting(what: string, before: Model, write: RaftBatch): Operation {
  return { what, after: afterBatch(before, write), run: ({ store }) => store.persist(write) }
}

function compacting(before: Model, index: number): Operation {
  const found = [...before.older, ...before.entries].find(one => one.index === index)
  const of = found?.term ?? before.snapshot!.term
  const same = index === before.snapshot?.index
  const snapshot = same ? before.snapshot : snapshotAt(index, of, `state at ${index}`)
  return {
    what: 'compact',
    after: afterCompaction(before, snapshot),
    run: ({ store }) => store.compact(snapshot),
  }
}

/** What a Raft core may ask for, by chance. */
class Chance {
  readonly random: SeededRandom
  #names = 0
  #epochs = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
  }

  operation(model: Model): Operation {
    const { random } = this
    const roll = random.below(20)
    const last = lastOf(model)
    const committed = model.snapshot?.index ?? 0
    if (roll < 3) return persisting('hard state', model, this.#promise(model))
    if (roll < 8 && last > model.commit) return persisting('replace', model, this.#replace(model))
    if (roll < 10) return persisting('install', model, this.#install(model))
    if (roll < 14 && model.commit > committed) {
      return compacting(model, committed + 1 + random.below(model.commit - committed))
    }
    return persisting('append', model, this.#append(model, last + 1))
  }

  #promise(model: Model): RaftBatch {
    const vote = this.random.below(2) === 0 ? testPeer(3) : null
    return batch({ hardState: hardState(model.hardState.term + 1, vote), commit: model.commit })
  }

  #append(model: Model, first: number): RaftBatch {
    const of = Math.max(1, model.hardState.term)
    const count = 1 + this.random.below(4)
    const entries: LogEntry[] = []
    let epoch = this.#epochBefore(model, first)
    for (let index = first; index < first + count; index++) {
      if (this.random.below(5) === 0) entries.push(emptyEntry(index, of))
      else entries.push(entry(index, { term: of, epoch: ++epoch, name: `${++this.#names}` }))
    }
    const last = first + count - 1
    const commit = at(Math.min(last, model.commit + this.random.below(5)))
    const state = this.random.below(4) === 0 ? hardState(of + 1, testPeer(1)) : null
    return batch({ entries, commit, hardState: state })
  }

  #replace(model: Model): RaftBatch {
    const last = lastOf(model)
    const first = model.commit + 1 + this.random.below(last - model.commit)
    const write = this.#append(model, first)
    return { ...write, hardState: hardState(model.hardState.term + 1, testPeer(1)) }
  }

  #install(model: Model): RaftBatch {
    const index = model.commit + 1 + this.random.below(10)
    this.#epochs += 100
    const snapshot = snapshotAt(index, model.hardState.term + 1, `installed ${++this.#names}`)
    if (this.random.below(2) === 0) return batch({ snapshot, commit: at(index) })
    const after = { ...model, snapshot, entries: [], older: [] }
    return { ...this.#append(after, index + 1), snapshot }
  }

  #epochBefore(model: Model, index: number): number {
    const before = [...model.older, ...model.entries].filter(one => one.index < index)
    return before.reduce((newest, { data }) => epochOfRecord(data) || newest, this.#epochs)
  }
}

/** One process after the other on one disk. */
class Life {
  readonly chance: Chance
  disk: SimulatedDisk
  model: Model = EMPTY
  opened: OpenedRaftStore | null = null
  readonly #counts: Map<string, number>
  readonly problems: string[] = []

  constructor(seed: number, counts: Map<string, number>) {
    this.#counts = counts
    this.chance = new Chance(seed)
    this.disk = emptyDisk(seed)
  }

  async step(): Promise<void> {
    const { random } = this.chance
    this.opened ??= await this.#open([this.model], 'start')
    const roll = random.below(14)
    if (roll === 0) return this.#stop('stop', this.disk)
    if (roll === 1) return this.#stop('kill', this.disk.restart())
    const operation = this.chance.operation(this.model)
    if (roll < 5) return this.#performFailing(operation)
    await this.#perform(operation, random.below(3) === 0 ? random.below(16) : null)
  }

  async #perform(operation: Operation, moment: number | null): Promise<void> {
    const end = this.#endAt(moment)
    const done = failureOf(operation.run(this.opened!)).then(error => ({ error }))
    const result = await Promise.race([end.next.then(() => ({ error: null })), done])
    this.disk.observe = null
    if (end.how() !== null) {
      this.#count(`${end.how()} in ${operation.what}`)
      this.disk = await end.next
      this.opened = await this.#open([operation.after, this.model], operation.what)
    } else if (result.error === null) {
      this.model = operation.after
    } else {
      this.problems.push(`${operation.what}: ${said(result.error)}`)
    }
  }

  async #performFailing(operation: Operation): Promise<void> {
    const code = this.#failOnce()
    const error = await failureOf(operation.run(this.opened!))
    this.disk.fail = null
    if (error === null) {
      this.model = operation.after
    } else if (isSwarmdiskError(error, 'disk-full')) {
      this.#count(`${code} refused ${operation.what}`)
    } else if (isSwarmdiskError(error, 'disk-error')) {
      this.#count(`${code} broke ${operation.what}`)
      await this.opened!.store.close()
      const next = this.chance.random.below(2) === 0 ? this.disk.restart() : this.disk.crash()
      this.disk = next
      this.opened = await this.#open([operation.after, this.model], operation.what)
    } else {
      this.problems.push(`${operation.what}: ${said(error)}`)
    }
  }

  async #stop(how: string, next: SimulatedDisk): Promise<void> {
    if (how === 'stop') await this.opened!.store.close()
    this.disk = next
    this.opened = await this.#open([this.model], how)
  }

  /** Opens what a crash has left, while more crashes and failures come. */
  async #open(allowed: readonly Model[], what: string): Promise<OpenedRaftStore> {
    const { random } = this.chance
    for (;;) {
      const end = this.#endAt(random.below(3) === 0 ? random.below(8) : null)
      if (random.below(5) === 0) this.#failOnce()
      const opening = openStore(this.disk).catch((error: unknown) => {
        if (isSwarmdiskError(error, 'disk-full') || isSwarmdiskError(error, 'disk-error')) return
        throw error
      })
      const opened = await Promise.race([end.next.then(() => undefined), opening])
      this.disk.observe = null
      this.disk.fail = null
      if (end.how() === null && opened) return this.#check(opened, { allowed, what })
      this.#count(`${end.how() ?? 'failure'} in start`)
      this.disk = end.how() === null ? this.disk.restart() : await end.next
    }
  }

  async #check(
    opened: OpenedRaftStore,
    { allowed, what }: { readonly allowed: readonly Model[]; readonly what: string },
  ): Promise<OpenedRaftStore> {
    const found: string[] = []
    for (const model of allowed) {
      const differs = await differences(opened, model)
      if (differs.length === 0) {
        this.model = model
        return opened
      }
      found.push(differs.join('; '))
    }
    this.problems.push(`${what}: ${found.join(' | ')}`)
    return opened
  }

  /** The process ends after so many changes of the disk: alone, or with the whole machine. */
  #endAt(moment: number | null): {
    readonly next: Promise<SimulatedDisk>
    readonly how: () => string | null
  } {
    const { disk } = this
    const alone = this.chance.random.below(3) === 0
    let count = 0
    let happened = false
    const next = new Promise<SimulatedDisk>(resolve => {
      disk.observe = () => {
        if (moment === null || happened || count++ !== moment) return
        happened = true
        resolve(alone ? disk.restart() : disk.crash())
      }
    })
    const how = (): string | null => (happened ? (alone ? 'kill' : 'crash') : null)
    return { next, how }
  }

  /** One operation on the disk fails, whichever comes, or some in a row. */
  #failOnce(): string {
    const { random } = this.chance
    const code = random.below(3) > 0 ? 'disk-full' : 'disk-error'
    const first = random.below(16)
    const end = first + 1 + random.below(3)
    let count = 0
    this.disk.fail = operation => {
      if (operation === 'read') return null
      const fails = count >= first && count < end
      count++
      return fails ? new SwarmdiskError(code, code) : null
    }
    return code
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }
}

const said = (error: unknown): string => (error instanceof Error ? error.message : 'no error')

const LIVES = 200

test('whatever happens, a start finds the state before or after', async t => {
  const problems: string[] = []
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= LIVES; seed++) {
    const life = new Life(seed, counts)
    for (let i = 0; i < 40 && life.problems.length === 0; i++) {
      const error = await failureOf(life.step())
      if (error) life.problems.push(said(error))
    }
    problems.push(...life.problems.map(problem => `seed ${seed}: ${problem}`))
  }
  t.deepEqual(problems.slice(0, 3), [], `${LIVES} lives`)
  const kinds = ['hard state', 'append', 'replace', 'install', 'compact']
  const events = ['crash in', 'kill in', 'disk-full refused', 'disk-error broke']
  for (const event of events) {
    for (const kind of event.endsWith('in') ? [...kinds, 'start'] : kinds) {
      const what = `${event} ${kind}`
      t.ok((counts.get(what) ?? 0) > 0, `${what}: ${counts.get(what)}`)
    }
  }
})
