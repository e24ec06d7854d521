// Which of its servers leads each shard, so that every server leads its part: a flow problem. From
// any first choice, one shard after the other is handed on along a path from a server that leads
// too many to one that leads too few (a gives a shard to b, b another one to c, ...). When no such
// path is left, no other choice spreads them more evenly.

export interface PrimaryChoice {
  /** For every shard its servers, by number. */
  readonly members: readonly (readonly number[])[]
  readonly servers: number
  /** What each server leads too many from before, in shards. */
  readonly carry: readonly number[]
  /** The primaries so far (null: none), of which as few as possible change. */
  readonly current: readonly number[] | null
  /** How far a server may be off its part, given that part, before any shard is handed on. */
  readonly slack: (part: number) => number
}

/** For every shard its primary. A server's part: 1/n of each of its shards with n members. */
export function choosePrimaries(choice: PrimaryChoice): readonly number[] {
  const spread = new Spread(choice)
  spread.even()
  return spread.primaries
}

class Spread {
  readonly primaries: number[]
  readonly #members: readonly (readonly number[])[]
  /** How many each server leads more than its part. */
  readonly #excess: Float64Array
  readonly #slack: Float64Array
  /** For every server the shards that it leads. */
  readonly #led: number[][]
  /** For the search: the shard by which a server was reached in this search, and from whom. */
  readonly #via: Int32Array
  readonly #search: Int32Array
  readonly #all: readonly number[]
  #searches = 0

  constructor(choice: PrimaryChoice) {
    this.#members = choice.members
    const part = new Float64Array(choice.servers)
    for (const servers of choice.members) {
      for (const server of servers) part[server]! += 1 / servers.length
    }
    this.#excess = part.map((count, server) => choice.carry[server]! - count)
    this.#slack = part.map(choice.slack)
    this.#led = Array.from(part, () => [])
    this.#all = Array.from(part.keys())
    this.#via = new Int32Array(choice.servers)
    this.#search = new Int32Array(choice.servers)
    this.primaries = choice.members.map((servers, shard) => {
      const current = choice.current?.[shard]
      const primary = current !== undefined && servers.includes(current) ? current : -1
      return primary >= 0 ? this.#lead(shard, primary) : -1
    })
    this.primaries.forEach((primary, shard) => {
      if (primary >= 0) return
      const servers = choice.members[shard]!
      const least = servers.reduce((a, b) => (this.#excess[b]! < this.#excess[a]! ? b : a))
      this.primaries[shard] = this.#lead(shard, least)
    })
  }

  #lead(shard: number, server: number): number {
    this.#led[server]!.push(shard)
    this.#excess[server]!++
    return server
  }

  /** Every hand-on makes the sum of squares of the excesses smaller, so this ends. */
  even(): void {
    for (let changed = true; changed;) changed = this.#pass()
  }

  #pass(): boolean {
    let changed = false
    const byExcess = [...this.#all].sort((a, b) => this.#excess[b]! - this.#excess[a]!)
    for (const server of byExcess) {
      for (let end = this.#reach(server); end >= 0; end = this.#reach(server)) {
        this.#handOn(server, end)
        changed = true
      }
    }
    return changed
  }

  /** The nearest server that leads more than one less by its part than this one, or -1. */
  #reach(start: number): number {
    // Of many servers, few lead a shard of one volume: the others have nothing to hand on.
    if (this.#led[start]!.length === 0) return -1
    if (!this.#all.some(server => this.#gains(start, server))) return -1
    const search = ++this.#searches
    const queue = [start]
    this.#search[start] = search
    for (const server of queue) {
      for (const shard of this.#led[server]!) {
        for (const member of this.#members[shard]!) {
          if (this.#search[member] === search) continue
          this.#search[member] = search
          this.#via[member] = shard
          if (this.#gains(start, member)) return member
          queue.push(member)
        }
      }
    }
    return -1
  }

  #gains(from: number, to: number): boolean {
    const [high, low] = [this.#excess[from]!, this.#excess[to]!]
    const matters = high > this.#slack[from]! || low < -this.#slack[to]!
    return matters && high - low > 1 + 1e-9
  }

  #handOn(start: number, end: number): void {
    this.#excess[start]!--
    this.#excess[end]!++
    for (let server = end; server !== start;) {
      const shard = this.#via[server]!
      const giver = this.primaries[shard]!
      const led = this.#led[giver]!
      led.splice(led.indexOf(shard), 1)
      this.#led[server]!.push(shard)
      this.primaries[shard] = server
      server = giver
    }
  }
}
