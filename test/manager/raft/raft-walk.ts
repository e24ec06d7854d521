// One random walk: managers that crash, are cut off, lose, repeat and reorder messages, write
// slowly, and change who is a member, all from one seed. First faults, under the eyes of
// RaftSafety; then everything is healed, and they must agree soon.
import { assert } from '../../../src/base/assert.js'
import type { PeerId } from '../../../src/base/brands.js'
import type { ProposedEntry } from '../../../src/manager/raft/raft-types.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { divergentLogs } from './divergent-logs.js'
import { diskWith, HeavyBytes, peer, RaftGroup, type Envelope } from './raft-group.js'
import { EMPTY_DISK, type RaftNode } from './raft-node.js'
import { RaftSafety } from './raft-safety.js'
import { entriesText, envelopeText, writeText } from './raft-text.js'

interface Planned {
  readonly at: number
  readonly run: () => void
}

/** How bad the world is in this walk. Rates are per second of the walk, delays in milliseconds. */
interface Weather {
  readonly loss: number
  readonly repeat: number
  readonly delay: number
  /** Some messages come this late, so many of them. */
  readonly straggler: number
  readonly stragglers: number
  readonly write: number
  readonly tickLate: number
  readonly proposals: number
  readonly faults: number
  readonly memberships: number
  /** New links that the managers are not told of. */
  readonly unnoticed: number
}

export interface WalkResult {
  readonly steps: number
  readonly elections: number
  readonly commits: number
  readonly committed: number
  readonly members: number
}

const NODES_MAX = 5
const FAULTS_UNTIL_MS = 30_000
const STEPS_MAX = 4_000
/** A few elections that fail by chance, and time to copy what somebody missed. */
const HEALED_MS = 15_000
/** A deadline that is always over would make no time pass. */
const HEALED_STEPS_MAX = 30_000
const STEPS_BETWEEN_LOOKS = 50
/** Messages arrive in order, as on a link. */
const CALM: Weather = {
  ...{ loss: 0, repeat: 0, delay: 1, straggler: 1, stragglers: 0, write: 2, tickLate: 0 },
  ...{ proposals: 2, faults: 0, memberships: 0, unnoticed: 0 },
}

export class RaftWalk {
  readonly #random: SeededRandom
  readonly #trace: (line: string) => void
  readonly #group: RaftGroup
  readonly #safety: RaftSafety
  readonly #ids: readonly PeerId[]
  readonly #ticks = new Map<PeerId, number>()
  readonly #writing = new Set<PeerId>()
  // Then no message takes more than one entry.
  readonly #heavy: boolean
  #weather: Weather
  // The next one last.
  #plan: Planned[] = []
  #values = 0
  #valuesWhenHealed = 0
  #steps = 0

  constructor(seed: number, trace: (line: string) => void = () => undefined) {
    this.#random = new SeededRandom(seed)
    this.#trace = trace
    const nodes = 2 + this.#random.below(NODES_MAX - 1)
    this.#ids = Array.from({ length: nodes }, (_, i) => peer(i + 1))
    this.#heavy = this.#random.chance(0.3)
    this.#weather = this.#someWeather()
    this.#safety = new RaftSafety(() => this.#group)
    this.#group = this.#makeGroup()
    const voters = this.#random.chance(0.7) ? Math.min(3, nodes) : 1 + this.#random.below(nodes)
    const members = this.#ids.slice(0, voters)
    const value = (): Uint8Array => this.#newValue()
    const disks = this.#random.chance(0.5)
      ? divergentLogs({ members, random: this.#random, value })
      : members.map(() => diskWith(members, [1]))
    for (const [i, id] of this.#ids.entries()) {
      const node = this.#group.add(id, disks[i] ?? EMPTY_DISK)
      node.fastDisk = false
      this.#safety.started(node)
      this.#planTick(node)
    }
    this.#repeat('proposals', () => this.#propose())
    this.#repeat('faults', () => this.#fault())
    this.#repeat('memberships', () => this.#changeMembers())
  }

  run(): WalkResult {
    while (this.#group.now < FAULTS_UNTIL_MS && this.#steps < STEPS_MAX) this.#next()
    this.#heal()
    const end = this.#group.now + HEALED_MS
    const lastStep = this.#steps + HEALED_STEPS_MAX
    let disagreement = this.#disagreement()
    while (disagreement !== null && this.#group.now < end && this.#steps < lastStep) {
      for (let i = 0; i < STEPS_BETWEEN_LOOKS; i++) this.#next()
      disagreement = this.#disagreement()
    }
    assert(disagreement === null, `healed, but: ${disagreement}`)
    const { elections, commits, committed } = this.#safety
    const members = this.#leader()?.core.members.length ?? 0
    return { steps: this.#steps, elections, commits, committed, members }
  }

  // ---- the world -------------------------------------------------------------------------------

  #makeGroup(): RaftGroup {
    const safety = this.#safety
    return new RaftGroup({
      observer: {
        stepped: (node, effects) => {
          this.#steps++
          safety.stepped(node, effects)
        },
        wrote: (node, effects) => {
          const text = writeText(effects)
          if (text !== null) this.#say(`${node.id} wrote ${text}`)
          safety.wrote(node, effects)
        },
        applied: (node, entries) => {
          this.#say(`${node.id} applied ${entriesText(entries)}`)
          safety.applied(node, entries)
        },
        installed: node => safety.installed(node),
      },
      jitter: () => this.#random.next() / 2 ** 32,
      carry: envelope => this.#carry(envelope),
    })
  }

  #carry(envelope: Envelope): void {
    this.#safety.sent(this.#group.node(envelope.from), envelope.to, envelope.message)
    const { loss, repeat, delay, straggler, stragglers } = this.#weather
    if (this.#random.chance(loss)) return
    const copies = this.#random.chance(repeat) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const late = this.#random.chance(stragglers) ? straggler : delay
      this.#after(1 + this.#random.below(late), () => this.#deliver(envelope))
    }
  }

  #deliver(envelope: Envelope): void {
    const { from, to } = envelope
    if (!this.#group.canReach(from, to)) return
    this.#say(envelopeText(envelope))
    this.#group.deliver(envelope)
  }

  #next(): void {
    const next = this.#plan.pop()
    assert(next, 'something always happens')
    this.#group.goTo(next.at)
    next.run()
    for (const node of this.#group.up) this.#follow(node)
  }

  /** Its next tick and its next write happen some time. */
  #follow(node: RaftNode): void {
    this.#planTick(node)
    if (node.waiting === 0 || this.#writing.has(node.id)) return
    this.#writing.add(node.id)
    this.#after(this.#random.below(this.#weather.write + 1), () => {
      this.#writing.delete(node.id)
      if (!node.isUp || node.waiting === 0) return
      this.#group.persist(node.id, 1 + this.#random.below(node.waiting))
    })
  }

  #planTick(node: RaftNode): void {
    const { deadline } = node.core
    if (deadline === null || this.#ticks.get(node.id) === deadline) return
    this.#ticks.set(node.id, deadline)
    const late = this.#random.below(this.#weather.tickLate + 1)
    this.#after(Math.max(0, deadline - this.#group.now) + late, () => {
      if (this.#ticks.get(node.id) !== deadline) return
      this.#ticks.delete(node.id)
      if (node.isUp) this.#step(node, { kind: 'tick' })
    })
  }

  #step(node: RaftNode, event: Parameters<RaftGroup['step']>[1]): void {
    const before = node.core.role
    this.#group.step(node.id, event)
    const { role, term } = node.core
    this.#say(`${node.id} ${event.kind}: ${before} → ${role}, term ${term}`)
  }

  // ---- what people and fate do -----------------------------------------------------------------

  #propose(): void {
    for (const node of this.#group.up.filter(({ core }) => core.isLeading)) {
      const entries = Array.from({ length: 1 + this.#random.below(3) }, (): ProposedEntry => ({
        members: null,
        data: this.#newValue(),
      }))
      this.#step(node, { kind: 'propose', entries })
    }
  }

  #newValue(): Uint8Array {
    const data = new TextEncoder().encode(String(++this.#values))
    return this.#heavy ? new HeavyBytes(data) : data
  }

  #fault(): void {
    const leaders = this.#group.up.filter(({ core }) => core.isLeading).map(({ id }) => id)
    const id = this.#random.pick(this.#random.chance(0.3) ? [...leaders, ...this.#ids] : this.#ids)
    const other = this.#random.pick(this.#ids)
    const node = this.#group.node(id)
    const die = this.#random.below(20)
    // Whoever is down comes back sooner or later; else little would happen.
    if (!node.isUp) this.#restart(node)
    else if (die < 2) this.#crash(node)
    else if (die < 5) this.#bounce(node)
    else if (die < 7 && id !== other) this.#cut([[id, other]])
    else if (die < 10) this.#isolate(id)
    else if (die < 14) this.#reconnectAll()
    else if (die < 15) this.#compact(node)
    else if (die < 18) this.#transfer(other)
    else this.#weather = this.#someWeather()
  }

  #crash(node: RaftNode): void {
    this.#say(`${node.id} crashes`)
    this.#group.crash(node.id, this.#random.below(node.waiting + 1))
    this.#ticks.delete(node.id)
  }

  /** Back before anybody has noticed, with whatever it promised forgotten. */
  #bounce(node: RaftNode): void {
    this.#crash(node)
    this.#after(1 + this.#random.below(300), () => {
      if (!node.isUp) this.#restart(node)
    })
  }

  #restart(node: RaftNode): void {
    this.#say(`${node.id} restarts`)
    if (this.#random.chance(this.#weather.unnoticed)) {
      node.start({ now: this.#group.now, jitter: this.#random.next() / 2 ** 32 })
    } else {
      this.#group.restart(node.id)
    }
  }

  #cut(pairs: readonly (readonly [PeerId, PeerId])[]): void {
    this.#say(`cut ${pairs.map(([a, b]) => `${a}>${b}`).join(' ')}`)
    for (const [from, to] of pairs) this.#group.cut(from, to)
  }

  #isolate(id: PeerId): void {
    // Some of the others, in one direction or both.
    const others = this.#ids.filter(other => other !== id && this.#random.chance(0.8))
    const [inward, outward] = this.#random.pick([
      [true, true],
      [true, false],
      [false, true],
    ])
    this.#cut([
      ...(outward ? others.map(other => [id, other] as const) : []),
      ...(inward ? others.map(other => [other, id] as const) : []),
    ])
  }

  #reconnectAll(): void {
    this.#say('all links are back')
    this.#group.heal()
  }

  #compact(node: RaftNode): void {
    if (node.applied.index === 0 || node.waiting > 0) return
    this.#say(`${node.id} compacts up to ${node.applied.index}`)
    this.#group.compact(node.id)
  }

  #transfer(to: PeerId): void {
    for (const node of this.#group.up.filter(({ core }) => core.isLeading)) {
      if (node.id !== to) this.#step(node, { kind: 'transfer', to })
    }
  }

  #changeMembers(): void {
    const id = this.#random.pick(this.#ids)
    for (const node of this.#group.up.filter(({ core }) => core.isLeading)) {
      const { core } = node
      const isMember = core.members.includes(id)
      if (!isMember && !core.mayAdd(id)) {
        if (id !== node.id) this.#step(node, { kind: 'add-learner', peer: id })
        continue
      }
      if (!core.mayChangeMembers || (isMember && core.members.length === 1)) continue
      const members = isMember
        ? core.members.filter(member => member !== id)
        : [...core.members, id]
      this.#step(node, { kind: 'propose', entries: [{ members, data: new Uint8Array(0) }] })
    }
  }

  // ---- the end ---------------------------------------------------------------------------------

  #heal(): void {
    this.#weather = CALM
    this.#reconnectAll()
    for (const node of this.#group.nodes) if (!node.isUp) this.#restart(node)
    this.#valuesWhenHealed = this.#safety.values + 5
  }

  #leader(): RaftNode | undefined {
    return this.#group.up.find(({ core }) => core.settled && core.leaseValid(this.#group.now))
  }

  /** What keeps us from saying that all is well again; null: nothing. */
  #disagreement(): string | null {
    const leader = this.#leader()
    if (!leader) return 'nobody leads'
    const { core, applied } = leader
    if (applied.values.length < this.#valuesWhenHealed) return 'nothing new was agreed on'
    for (const id of core.members) {
      const { core: member, applied: has } = this.#group.node(id)
      if (member.term !== core.term || member.leader !== leader.id) return `${id} does not follow`
      // The newest proposals may be under way.
      if (has.index < core.commit - 5) return `${id} is at ${has.index} of ${core.commit}`
    }
    return null
  }

  // ---- time and chance -------------------------------------------------------------------------

  #say(line: string): void {
    this.#trace(`${this.#group.now} ${line}`)
  }

  #someWeather(): Weather {
    const random = this.#random
    return {
      loss: random.pick([0, 0.01, 0.1, 0.3]),
      repeat: random.pick([0, 0.05, 0.3]),
      delay: random.pick([2, 20, 100]),
      straggler: random.pick([20, 500, 2_500]),
      stragglers: random.pick([0.02, 0.05, 0.3]),
      write: random.pick([0, 10, 100, 600]),
      tickLate: random.pick([0, 0, 50, 500]),
      proposals: random.pick([1, 5, 20]),
      faults: random.pick([0.3, 1, 3]),
      memberships: random.pick([0, 0.5, 4]),
      unnoticed: random.pick([0, 0.5, 1]),
    }
  }

  #repeat(rate: 'proposals' | 'faults' | 'memberships', run: () => void): void {
    const perSecond = this.#weather[rate]
    const pause = perSecond > 0 ? (this.#random.below(2_000) + 1) / perSecond : 1_000
    this.#after(Math.ceil(pause), () => {
      if (this.#weather[rate] > 0) run()
      this.#repeat(rate, run)
    })
  }

  #after(delay: number, run: () => void): void {
    const at = this.#group.now + delay
    let place = this.#plan.length
    while (place > 0 && this.#plan[place - 1]!.at <= at) place--
    this.#plan.splice(place, 0, { at, run })
  }
}
