// Random but valid messages of scrubs, from a seed.
import type { OperationTypes } from '../../../src/net/operations.js'
import {
  BLOCK_STATES,
  FLAW_OUTCOMES,
  FLAWS,
  SCRUB_MODES,
  SCRUB_STATUSES,
  type ScrubEntry,
} from '../../../src/net/scrub/messages.js'
import type { SeededRandom } from '../../simulator/seeded-random.js'
import type { MessageSample } from './message-samples.js'
import * as s from './samples.js'

const count = (r: SeededRandom): number => s.number(r, 2 ** 32)
const entry = (r: SeededRandom): ScrubEntry => ({
  state: r.pick(BLOCK_STATES),
  epoch: s.epoch(r),
  checksum: count(r),
})

export const scrubSamples: {
  readonly [O in Extract<keyof OperationTypes, 'scrub' | 'scrub-compare'>]: MessageSample<O>
} = {
  scrub: {
    request: r => ({
      ...{ volume: s.volumeId(r), shard: s.shard(r), allocation: s.epoch(r), layer: count(r) },
      ...{ page: count(r), end: count(r), first: r.below(512), mode: r.pick(SCRUB_MODES) },
    }),
    reply: r => ({
      status: r.pick(SCRUB_STATUSES),
      ...{ allocation: s.epoch(r), page: count(r), found: r.chance(0.5), blocks: count(r) },
      upTo: r.below(513),
      flaws: s.several(r, 4, () => ({
        block: s.block(r),
        flaw: r.pick(FLAWS),
        outcome: r.pick(FLAW_OUTCOMES),
      })),
      payload: new Uint8Array(r.below(2) * 4096).fill(r.below(256)),
    }),
  },
  'scrub-compare': {
    request: r => ({
      ...{ volume: s.volumeId(r), shard: s.shard(r), allocation: s.epoch(r), layer: count(r) },
      ...{ block: s.block(r), blocks: 1 + r.below(64), other: s.peer(r) },
    }),
    reply: r => ({
      ...{ status: r.pick(SCRUB_STATUSES), allocation: s.epoch(r) },
      different: s.several(r, 3, () => ({ block: s.block(r), own: entry(r), other: entry(r) })),
      open: s.several(r, 3, () => s.block(r)),
    }),
  },
}
