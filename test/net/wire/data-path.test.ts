// Two sides, links that come, delay and break at any moment: whatever the order, the two choices
// become one, no request waits for ever, and none that was given up is executed after a later one.
import test from 'tape'
import { assert } from '../../../src/base/assert.js'
import { DataPath } from '../../../src/net/wire/data-path.js'
import type { PathAnnouncement } from '../../../src/net/wire/entry.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

interface ModelLink {
  readonly kind: 'swarm' | 'direct'
  readonly name: number
  readonly queues: readonly [Message[], Message[]]
}

type Message =
  | { readonly what: 'hello' }
  | { readonly what: 'closed' }
  | { readonly what: 'path'; readonly path: PathAnnouncement }
  | { readonly what: 'request'; readonly id: number }
  /** Sent on every new path, as a replica does: what was lost before this has to be sent again. */
  | { readonly what: 'resume' }

/** One peer, with as much of RemotePeer as the choice of a path needs. */
class Side {
  readonly path: DataPath<ModelLink>
  readonly links = new Set<ModelLink>()
  /** Closed on this side: nothing that still arrives there counts. */
  readonly dead = new Set<ModelLink>()
  readonly outstanding = new Set<number>()
  readonly accepted: number[] = []
  /** Requests up to this one were sent before a resume arrived. */
  covered = 0
  readonly #index: 0 | 1
  #paths = 1
  #requests = 0

  get requests(): number {
    return this.#requests
  }

  constructor(index: 0 | 1) {
    this.#index = index
    this.path = new DataPath({ decider: index === 0, number: 1 })
  }

  request(): void {
    const link = this.path.current
    if (!link) return
    const id = ++this.#requests
    this.outstanding.add(id)
    link.queues[this.#index].push({ what: 'request', id })
  }

  receive(link: ModelLink, message: Message): void {
    if (this.dead.has(link)) return
    if (message.what === 'hello') this.#greeted(link)
    else if (!this.links.has(link)) assert(message.what === 'closed', 'a hello comes first')
    else if (message.what === 'closed') this.lose(link)
    else if (message.what === 'request') {
      if (this.path.takesFrom(link)) this.accepted.push(message.id)
    } else if (message.what === 'resume') {
      if (this.path.takesFrom(link)) this.covered = this.#requests
    } else {
      const left = this.path.current
      if (!this.path.heard(link, message.path)) return
      this.#choose(link, true)
      if (left?.kind === 'direct' && link.kind === 'swarm') this.close(left)
    }
  }

  close(link: ModelLink): void {
    link.queues[this.#index].push({ what: 'closed' })
    this.lose(link)
  }

  lose(link: ModelLink): void {
    this.dead.add(link)
    this.links.delete(link)
    if (this.path.current !== link) return
    const best = [...this.links].reverse().find(other => other.kind === 'direct')
    const next = best ?? [...this.links][0]
    if (next) this.#choose(next)
  }

  #greeted(link: ModelLink): void {
    this.links.add(link)
    if (link.kind === 'direct' || !this.path.current) this.#choose(link)
    // As RemotePeer: one side closes what is superfluous.
    const surplus = [...this.links].filter(other => other.kind === 'direct' && other !== link)
    if (this.#index === 0) for (const other of surplus) this.close(other)
  }

  #choose(link: ModelLink, following = false): void {
    const first = this.path.current === null
    this.outstanding.clear()
    const path = this.path.choose(link, () => ++this.#paths, following)
    link.queues[this.#index].push({ what: 'path', path })
    if (!first) link.queues[this.#index].push({ what: 'resume' })
  }
}

class Model {
  readonly sides = [new Side(0), new Side(1)] as const
  readonly links: ModelLink[] = []
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
    this.open('swarm')
    // Without a swarm link that is up, losing the direct one would be a disconnection.
    while (this.deliver());
  }

  open(kind: 'swarm' | 'direct'): void {
    const queues: [Message[], Message[]] = [[{ what: 'hello' }], [{ what: 'hello' }]]
    this.links.push({ kind, name: this.links.length, queues })
  }

  deliver(): boolean {
    const ready = this.links.flatMap(link =>
      ([0, 1] as const).filter(i => link.queues[i].length > 0).map(i => ({ link, i })),
    )
    if (ready.length === 0) return false
    const { link, i } = this.#random.pick(ready)
    this.sides[i === 0 ? 1 : 0].receive(link, link.queues[i].shift()!)
    return true
  }

  /** One side sees a direct link break; some of what was under way is lost. */
  break(): void {
    const direct = this.links.filter(link => link.kind === 'direct')
    if (direct.length === 0) return
    const link = this.#random.pick(direct)
    for (const queue of link.queues) queue.splice(this.#random.below(queue.length + 1))
    const first = this.#random.pick([0, 1] as const)
    // The side that notices; the other learns when the notice arrives. A link that breaks before
    // its hello has arrived never comes up there.
    link.queues[first].push({ what: 'closed' })
    this.sides[first].lose(link)
  }

  step(): void {
    const dice = this.#random.below(20)
    if (dice === 0) this.open('direct')
    else if (dice === 1) this.break()
    else if (dice < 6) this.#random.pick(this.sides).request()
    else this.deliver()
  }
}

/** What is wrong after a walk, or null. */
function walk(seed: number): string | null {
  const random = new SeededRandom(seed)
  const model = new Model(random)
  for (let i = random.below(200); i >= 0; i--) model.step()
  while (model.deliver());
  const [a, b] = model.sides
  if (a.path.current !== b.path.current) {
    return `links ${a.path.current?.name} and ${b.path.current?.name}`
  }
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const id of from.outstanding) {
      if (!to.accepted.includes(id)) return `request ${id} waits for ever`
    }
    for (let id = from.covered + 1; id <= from.requests; id++) {
      if (!to.accepted.includes(id)) return `request ${id} is lost, and the receiver knows nothing`
    }
    if (to.accepted.some((id, i) => i > 0 && id <= to.accepted[i - 1]!)) return 'out of order'
  }
  return null
}

test('two sides agree on one data path after every random walk', t => {
  const failures: string[] = []
  for (let seed = 0; seed < 20_000 && failures.length < 5; seed++) {
    const problem = walk(seed)
    if (problem !== null) failures.push(`seed ${seed}: ${problem}`)
  }
  t.deepEqual(failures, [])
  t.end()
})
