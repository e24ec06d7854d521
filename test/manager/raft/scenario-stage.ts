// Where a scenario plays: a group of managers, what is said about them, and the ways in which time
// and messages move on.
import type { PeerId } from '../../../src/base/brands.js'
import type { RaftEffects, RaftEvent } from '../../../src/manager/raft/raft-types.js'
import { RaftGroup, type Envelope } from './raft-group.js'
import type { RaftDisk, RaftNode } from './raft-node.js'
import { RaftSafety } from './raft-safety.js'
import { entriesText, envelopeText, writeText } from './raft-text.js'

/** `changes`: roles and what is applied; `all`: messages and writes as well. */
export type Detail = 'all' | 'changes' | 'nothing'

/** A scenario that does not come to rest has gone wrong. */
const MOVES_MAX = 2_000

export class ScenarioStage {
  readonly group: RaftGroup
  readonly #safety: RaftSafety
  readonly #roles = new Map<PeerId, string>()
  readonly copies = new Map<PeerId, RaftDisk>()
  #output: string[] = []
  detail: Detail = 'all'
  /** Some scenarios lose what must not be lost, to see what becomes of it. */
  isChecked = true

  constructor() {
    const safety = new RaftSafety(() => this.group)
    this.#safety = safety
    this.group = new RaftGroup({
      observer: {
        stepped: (node, effects) => this.#stepped(node, effects),
        wrote: (node, effects) => this.#wrote(node, effects),
        applied: (node, entries) => {
          this.#say('changes', `${node.id} applies ${entriesText(entries)}`)
          if (this.isChecked) safety.applied(node, entries)
        },
        installed: (node, { index, term }) => {
          this.#say('changes', `${node.id} installs ${index}/${term}`)
          if (this.isChecked) safety.installed(node)
        },
      },
      // Manager 1 is the first to lose patience, then 2, and so on.
      jitter: id => Number(id) / 10,
    })
  }

  add(id: PeerId, disk: RaftDisk): void {
    this.#safety.started(this.group.add(id, disk))
    this.#noteRole(this.group.node(id))
  }

  say(line: string): void {
    this.#output.push(line)
  }

  takeOutput(): readonly string[] {
    const output = this.#output
    this.#output = []
    return output
  }

  step(id: PeerId, event: RaftEvent): void {
    this.group.step(id, event)
  }

  /** Takes what matches out of the wire, as it is now, and delivers it in order. */
  deliver(matches: (envelope: Envelope) => boolean, count = Infinity): void {
    for (const envelope of this.take(matches, count)) this.#deliver(envelope)
  }

  take(matches: (envelope: Envelope) => boolean, count = Infinity): readonly Envelope[] {
    const taken = this.group.wire.filter(matches).slice(0, count)
    this.group.wire = this.group.wire.filter(envelope => !taken.includes(envelope))
    return taken
  }

  /** Delivers and makes durable until nothing is left to do; no time passes. */
  settle(matches: (envelope: Envelope) => boolean, ids: readonly PeerId[]): void {
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      const [next] = this.take(matches, 1)
      const slow = ids.find(id => this.group.node(id).isUp && this.group.node(id).waiting > 0)
      if (next) this.#deliver(next)
      else if (slow !== undefined) this.group.persist(slow)
      else return
    }
    throw new Error('the scenario does not come to rest')
  }

  /** Ticks come at their time; `between` what happens after each. */
  run(duration: number, between: () => void): void {
    const end = this.group.now + duration
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      const next = this.group.up
        .map(({ id, core }) => ({ id, at: core.deadline ?? Infinity }))
        .sort((a, b) => a.at - b.at)[0]
      if (!next || next.at > end) {
        this.group.goTo(end)
        return
      }
      this.group.goTo(Math.max(next.at, this.group.now))
      this.step(next.id, { kind: 'tick' })
      between()
    }
    throw new Error('the scenario does not come to rest')
  }

  noteRoles(): void {
    for (const node of this.group.nodes) this.#noteRole(node)
  }

  #deliver(envelope: Envelope): void {
    this.#say('all', envelopeText(envelope))
    this.group.deliver(envelope)
  }

  #stepped(node: RaftNode, effects: RaftEffects): void {
    this.#noteRole(node)
    if (this.isChecked) this.#safety.stepped(node, effects)
  }

  #wrote(node: RaftNode, effects: RaftEffects): void {
    if (this.isChecked) this.#safety.wrote(node, effects)
    const text = writeText(effects)
    if (text !== null) this.#say('all', `${node.id} writes ${text}`)
  }

  #noteRole(node: RaftNode): void {
    const role = roleText(node)
    const before = this.#roles.get(node.id)
    this.#roles.set(node.id, role)
    if (before !== undefined && before !== role) this.#say('changes', `${node.id} is ${role}`)
  }

  #say(detail: 'all' | 'changes', line: string): void {
    if (this.detail === 'all' || this.detail === detail) this.say(line)
  }
}

export function roleText(node: RaftNode): string {
  if (!node.isUp) return 'down'
  const { role, term, leader } = node.core
  const follows = role !== 'follower' ? '' : leader === null ? ' of nobody' : ` of ${leader}`
  return `${role}${follows} in term ${term}`
}
