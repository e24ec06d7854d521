// The commands of scenarios. `A` and `B` are managers; `A>B` messages from one to the other, `*`
// anybody.
//
//   cluster A B C …          starts managers that vote, with the one entry that says so
//   node A [of B C …] [terms 1 1 4 …]   starts one; `of` are the voters, `terms` those of its log
//   campaign A               A hears nothing until it loses patience
//   advance MS [A …]         time passes, nothing arrives; these (or all) notice it
//   run MS                   time passes, everything arrives at once
//   deliver A>B … [N]        what is under way from A to B arrives (N: the first N)
//   drop A>B …               … is lost
//   repeat A>B …             … arrives, and stays under way
//   settle [A …]             everything between these (or all) arrives and becomes durable
//   wire                     shows what is under way
//   propose A x y …          propose-large: no message takes two of them
//   add A B · remove A B     (changes of membership, by leader A)
//   learner A B              unlearn A B
//   transfer A B             leader A gives its place to B
//   slow-disk A              writes wait for `persist A [N]`;  fast-disk A
//   crash A [N]              N: so many waiting writes were durable;  restart A
//   wipe A                   a crashed A loses its disk;  keep A · restore A  a copy of the disk
//   cut A>B … · split A B | C …  · heal · reconnect A B
//   compact A
//   status · log [A …] · progress A · lease A
//   show all|changes|nothing     what is written about the following commands
//   unchecked                durable things are about to be lost: safety is not checked any more
import type { PeerId } from '../../../src/base/brands.js'
import type { ProposedEntry } from '../../../src/manager/raft/raft-types.js'
import { diskWith, HeavyBytes, peer, type Envelope } from './raft-group.js'
import { EMPTY_DISK, type RaftNode } from './raft-node.js'
import { entriesText, entryText, envelopeText } from './raft-text.js'
import { roleText, type Detail, type ScenarioStage } from './scenario-stage.js'
import { logIndex } from '../../../src/manager/raft/raft-log.js'

export type Command = (stage: ScenarioStage, words: readonly string[]) => void

export const COMMANDS: Readonly<Record<string, Command>> = {
  cluster: (stage, words) => {
    const members = words.map(peer)
    for (const id of members) stage.add(id, diskWith(members, [1]))
  },
  node: (stage, [id = '', ...words]) => {
    const terms = wordsAfter(words, 'terms').map(Number)
    const members = wordsAfter(words, 'of').map(peer)
    stage.add(peer(id), members.length > 0 ? diskWith(members, terms) : EMPTY_DISK)
  },
  campaign: (stage, [id = '']) => {
    const { deadline } = stage.group.node(peer(id)).core
    if (deadline === null) return stage.say(`${id} never campaigns`)
    stage.group.goTo(Math.max(stage.group.now, deadline))
    stage.step(peer(id), { kind: 'tick' })
  },
  advance: (stage, [duration, ...ids]) => advance(stage, Number(duration), ids.map(peer)),
  run: (stage, [duration]) => stage.run(Number(duration), () => settleAll(stage)),
  deliver: (stage, words) => stage.deliver(matching(words), countIn(words)),
  drop: (stage, words) => {
    for (const envelope of stage.take(matching(words))) stage.say(`lost: ${envelopeText(envelope)}`)
  },
  repeat: (stage, words) => {
    const kept = stage.group.wire.filter(matching(words))
    stage.deliver(matching(words))
    stage.group.wire = [...kept, ...stage.group.wire]
  },
  settle: (stage, words) => (words.length > 0 ? settle(stage, words.map(peer)) : settleAll(stage)),
  wire: stage => stage.group.wire.forEach(envelope => stage.say(envelopeText(envelope))),
  propose: (stage, [id = '', ...values]) => {
    const entries = values.map(value => ({
      members: null,
      data: new TextEncoder().encode(value),
    }))
    propose(stage, peer(id), entries)
  },
  'propose-large': (stage, [id = '', ...values]) => {
    const entries = values.map(value => ({
      members: null,
      data: new HeavyBytes(new TextEncoder().encode(value)),
    }))
    propose(stage, peer(id), entries)
  },
  add: (stage, [leader = '', id = '']) => {
    const { core } = stage.group.node(peer(leader))
    if (!core.mayAdd(peer(id))) return stage.say(`${leader} may not add ${id}`)
    changeMembers(stage, peer(leader), [...core.members, peer(id)])
  },
  remove: (stage, [leader = '', id = '']) => {
    const { core } = stage.group.node(peer(leader))
    if (!core.mayChangeMembers) return stage.say(`${leader} may not change members`)
    changeMembers(
      stage,
      peer(leader),
      core.members.filter(member => member !== peer(id)),
    )
  },
  learner: (stage, [leader = '', id = '']) =>
    stage.step(peer(leader), { kind: 'add-learner', peer: peer(id) }),
  unlearn: (stage, [leader = '', id = '']) =>
    stage.step(peer(leader), { kind: 'remove-learner', peer: peer(id) }),
  transfer: (stage, [leader = '', id = '']) =>
    stage.step(peer(leader), { kind: 'transfer', to: peer(id) }),
  'slow-disk': (stage, [id = '']) => void (stage.group.node(peer(id)).fastDisk = false),
  'fast-disk': (stage, [id = '']) => {
    stage.group.node(peer(id)).fastDisk = true
    stage.group.persist(peer(id))
  },
  persist: (stage, [id = '', count = 'Infinity']) => stage.group.persist(peer(id), Number(count)),
  crash: (stage, [id = '', written = '0']) => {
    stage.group.crash(peer(id), Number(written))
    stage.noteRoles()
  },
  restart: (stage, [id = '']) => {
    stage.group.restart(peer(id))
    stage.noteRoles()
  },
  wipe: (stage, [id = '']) => stage.group.node(peer(id)).wipe(),
  keep: (stage, [id = '']) => {
    const { disk } = stage.group.node(peer(id))
    stage.copies.set(peer(id), { ...disk, entries: [...disk.entries] })
  },
  restore: (stage, [id = '']) => stage.group.node(peer(id)).wipe(stage.copies.get(peer(id))),
  cut: (stage, words) => words.map(pairOf).forEach(([from, to]) => stage.group.cut(from, to)),
  split: (stage, words) => split(stage, words),
  heal: stage => stage.group.heal(),
  reconnect: (stage, [a = '', b = '']) => stage.group.reconnect(peer(a), peer(b)),
  compact: (stage, [id = '']) => stage.group.compact(peer(id)),
  status: stage => stage.group.nodes.forEach(node => stage.say(statusOf(node))),
  log: (stage, words) => {
    const ids = words.length > 0 ? words.map(peer) : stage.group.nodes.map(({ id }) => id)
    for (const id of ids) stage.say(logOf(stage.group.node(id)))
  },
  progress: (stage, [id = '']) => progress(stage, stage.group.node(peer(id))),
  lease: (stage, [id = '']) => {
    const valid = stage.group.node(peer(id)).core.leaseValid(stage.group.now)
    stage.say(valid ? `${id} has a lease` : `${id} has no lease`)
  },
  show: (stage, [detail]) => void (stage.detail = detail as Detail),
  unchecked: stage => void (stage.isChecked = false),
}

function wordsAfter(words: readonly string[], keyword: string): readonly string[] {
  const start = words.indexOf(keyword)
  if (start < 0) return []
  const rest = words.slice(start + 1)
  const end = rest.findIndex(word => /^[a-z]/.test(word))
  return end < 0 ? rest : rest.slice(0, end)
}

function pairOf(word: string): [PeerId, PeerId] {
  const [from = '', to = ''] = word.split('>')
  return [peer(from), peer(to)]
}

function matching(words: readonly string[]): (envelope: Envelope) => boolean {
  const pairs = words.filter(word => word.includes('>')).map(pairOf)
  return ({ from, to }) => pairs.some(([a, b]) => isAny(a, from) && isAny(b, to))
}

function isAny(pattern: PeerId, id: PeerId): boolean {
  return pattern === '*' || pattern === id
}

function countIn(words: readonly string[]): number {
  return Number(words.find(word => /^\d+$/.test(word)) ?? Infinity)
}

function settle(stage: ScenarioStage, ids: readonly PeerId[]): void {
  stage.settle(({ from, to }) => ids.includes(from) && ids.includes(to), ids)
}

function settleAll(stage: ScenarioStage): void {
  settle(
    stage,
    stage.group.nodes.map(({ id }) => id),
  )
}

function advance(stage: ScenarioStage, duration: number, ids: readonly PeerId[]): void {
  if (ids.length === 0) return stage.run(duration, () => undefined)
  stage.group.goTo(stage.group.now + duration)
  for (const id of ids) stage.step(id, { kind: 'tick' })
}

function propose(stage: ScenarioStage, id: PeerId, entries: readonly ProposedEntry[]): void {
  if (!stage.group.node(id).core.isLeading) return stage.say(`${id} does not lead`)
  stage.step(id, { kind: 'propose', entries })
}

function changeMembers(stage: ScenarioStage, leader: PeerId, members: readonly PeerId[]): void {
  propose(stage, leader, [{ members, data: new Uint8Array(0) }])
}

function split(stage: ScenarioStage, words: readonly string[]): void {
  const side = words.indexOf('|')
  const [left, right] = [words.slice(0, side).map(peer), words.slice(side + 1).map(peer)]
  for (const a of left) {
    for (const b of right) {
      stage.group.cut(a, b)
      stage.group.cut(b, a)
    }
  }
}

function statusOf(node: RaftNode): string {
  if (!node.isUp) return `${node.id}: down`
  const { core } = node
  const entries = `commit ${core.commit} of ${core.lastIndex}`
  const settled = core.settled ? ', settled' : ''
  const waiting = node.waiting > 0 ? `, ${node.waiting} steps wait for the disk` : ''
  const members = core.members.join(' ')
  return `${node.id}: ${roleText(node)}, ${entries}, members {${members}}${settled}${waiting}`
}

function logOf(node: RaftNode): string {
  if (!node.isUp) return `${node.id}: ${entriesText(node.disk.entries)}`
  const { core } = node
  const entries = core.entriesAfter(logIndex(0))
  const texts = entries.map(
    entry => `${entryText(entry)}${entry.index === core.commit ? ' |' : ''}`,
  )
  const first = entries[0]?.index ?? core.lastIndex + 1
  return `${node.id}: ${first > 1 ? `… ` : ''}${texts.join(' ')}`
}

function progress(stage: ScenarioStage, { core }: RaftNode): void {
  for (const { id } of stage.group.nodes) {
    const follower = core.follower(id)
    if (!follower) continue
    const { mode, match, next, inFlight } = follower
    const flying = inFlight > 0 ? `, ${inFlight} in flight` : ''
    stage.say(`${id}: ${mode}, match ${match}, next ${next}${flying}`)
  }
}
