// How many replicas each server ought to hold: in proportion to its weight, as far as its failure
// domain may take them (a domain holds a shard once, so it cannot take more than its weight's worth
// of all shards); and the same in whole numbers.
import type { Candidates } from './candidates.js'

/** Sums of fractions come out a little off a whole number. */
const ROUNDING = 1e-6

export interface ShareLimits {
  /** Replicas to hand out. */
  readonly total: number
  readonly perServer: number
  /** For each domain. */
  readonly perDomain: number
}

/** Replicas for each server, not whole numbers; they add up to `total` if the limits allow it. */
export function fairShares(candidates: Candidates, limits: ShareLimits): readonly number[] {
  const { domains, weights } = candidates
  const ofServer = (server: number, level: number): number =>
    Math.min(weights[server]! * level, limits.perServer)
  const ofDomain = (domain: readonly number[], level: number): number => {
    let sum = 0
    for (const server of domain) sum += ofServer(server, level)
    return sum
  }
  const level = levelFor(limits.total, at => {
    let sum = 0
    for (const domain of domains) sum += Math.min(limits.perDomain, ofDomain(domain, at))
    return sum
  })
  const shares = new Array<number>(weights.length).fill(0)
  for (const domain of domains) {
    const full = ofDomain(domain, level) > limits.perDomain
    const own = full ? levelFor(limits.perDomain, at => ofDomain(domain, at)) : level
    for (const server of domain) shares[server] = ofServer(server, own)
  }
  return shares
}

/** The least level at which a growing function of it reaches the total, or the highest there is. */
function levelFor(total: number, sum: (level: number) => number): number {
  let high = 1
  while (sum(high) < total && high < 2 ** 60) high *= 2
  let low = 0
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (sum(middle) < total) low = middle
    else high = middle
  }
  return high
}

/**
 * Whole numbers with the sum `total`, each a share rounded up or down, and so in each domain; where
 * there is a choice, up for those that `behind` says have too little so far (in replicas).
 */
export function wholeShares(
  candidates: Candidates,
  wanted: {
    readonly shares: readonly number[]
    readonly total: number
    readonly behind: readonly number[]
  },
): Int32Array {
  const { domains } = candidates
  const { shares, total, behind } = wanted
  const add = (values: readonly number[], members: readonly number[]): number =>
    members.reduce((sum, server) => sum + values[server]!, 0)
  const ofDomains = rounded({
    shares: domains.map(members => add(shares, members)),
    total,
    behind: domains.map(members => add(behind, members)),
  })
  const result = new Int32Array(shares.length)
  domains.forEach((members, domain) => {
    const own = rounded({
      shares: members.map(server => shares[server]!),
      total: ofDomains[domain]!,
      behind: members.map(server => behind[server]!),
    })
    members.forEach((server, i) => {
      result[server] = own[i]!
    })
  })
  return result
}

function rounded(wanted: {
  readonly shares: readonly number[]
  readonly total: number
  readonly behind: readonly number[]
}): readonly number[] {
  const result = wanted.shares.map(share => Math.floor(share + ROUNDING))
  let missing = wanted.total - result.reduce((sum, count) => sum + count, 0)
  const urgency = (i: number): number => {
    const debt = Math.max(-1, Math.min(1, wanted.behind[i]!))
    return wanted.shares[i]! - result[i]! + debt
  }
  const order = wanted.shares
    .map((share, i) => ({ i, urgency: urgency(i), partial: share - result[i]! > ROUNDING }))
    .filter(({ partial }) => partial)
    .sort((a, b) => b.urgency - a.urgency)
  for (const { i } of order) {
    if (missing <= 0) break
    result[i]!++
    missing--
  }
  return result
}
