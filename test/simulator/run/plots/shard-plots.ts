// Plots around one shard: each puts one rule of the protocol in danger (mutants.ts proves it), with
// variations by chance.
import {
  apart,
  cut,
  FLUSHED,
  FLUSHES,
  kill,
  maybe,
  MEND,
  nth,
  often,
  on,
  pause,
  powerCut,
  refuse,
  resumed,
  ROT,
  snap,
  WORK,
  written,
  type Plot,
} from '../steps.js'

export const SHARD_PLOTS: readonly Plot[] = [
  // A write is at some replicas only, its client is gone or hears nothing, and another replica
  // restarts: who settles?
  random => [
    cut('P', 'F'),
    random.chance(0.5) ? on('replicate', 'arrived', 'G') : on('write', 'arrived', 'P'),
    random.chance(0.6) ? kill('C') : cut('M', 'C'),
    kill('G'),
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.3, kill(random.pick(['P', 'F']))),
  ],
  // The same, and the primary dies: the next one has to ask who has seen what.
  random => [
    cut('P', random.pick(['F', 'G'])),
    on('replicate', 'arrived'),
    maybe(random, 0.5, kill('C')),
    maybe(random, 0.3, pause('short')),
    kill('P'),
    maybe(random, 0.3, cut('M', random.pick(['F', 'G', 'C']))),
  ],
  // All have it, but the primary does not know.
  random => [
    cut(random.pick(['F', 'G']), 'P'),
    on('replicate', 'arrived'),
    maybe(random, 0.4, cut('P', 'C')),
    kill(random.pick(['P', 'F', 'G'])),
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G']))),
  ],
  // Executed, the client is not told; much later it asks again, perhaps somebody else.
  random => [
    cut('P', 'C', random.pick(['middle', 'long'])),
    on('write', 'answered', 'P'),
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G']))),
    pause(random.pick(['short', 'middle'])),
    MEND,
    snap('C', 'P'),
  ],
  // So, while a replica restarts, is taken in again, and becomes the primary; others write on.
  ...often(2, random => [
    cut('P', 'C', 'ages'),
    on('write', 'answered', 'P', 'C'),
    kill('F', 'none'),
    on('caught-up-proposal', 'arrived', 'M'),
    on('configuration', 'arrived', 'F'),
    maybe(random, 0.7, kill('G')),
    maybe(random, 0.7, WORK),
    pause(random.pick(['short', 'middle'])),
    kill('P'),
    maybe(random, 0.7, on('write', 'answered', 'F', 'C')),
    MEND,
    snap('C', 'P'),
  ]),
  // Committed, but a follower is not told, nor is the client; that follower becomes the primary.
  ...often(3, random => [
    cut('P', 'C', 'ages'),
    on('write', 'arrived', 'P', 'C'),
    on('replicate', 'arrived', 'F'),
    cut('P', 'F', 'middle'),
    on('write', 'answered', 'P', 'C'),
    kill('G', 'none'),
    on('gather', 'answered', 'F'),
    maybe(random, 0.7, kill('G', 'long')),
    maybe(random, 0.5, WORK),
    on('write', 'answered', 'P', 'D'),
    kill('P'),
    maybe(random, 0.7, on('write', 'answered', 'F', 'C')),
    MEND,
    snap('C', 'P'),
  ]),
  // Catching up, with trouble in the middle.
  random => [
    kill('F', 'none'),
    on(random.pick(['summaries', 'index-page', 'blocks'] as const), 'answered'),
    random.pick([kill('P'), kill('G'), snap('P', 'F'), cut('P', 'F'), cut('F', 'P'), kill('F')]),
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.5, random.pick([kill('P'), kill('G'), MEND, snap('P', 'F')])),
  ],
  // A write that the others do not have while a replica becomes in-sync; then the primary dies.
  random => [
    kill('F', 'none'),
    on('caught-up', 'arrived', 'P'),
    cut('P', 'G', 'middle'),
    on('replicate', 'arrived', 'F'),
    maybe(random, 0.7, on('caught-up-proposal', 'arrived', 'M')),
    maybe(random, 0.7, on('configuration', 'arrived', 'F')),
    maybe(random, 0.6, kill('C')),
    kill('P'),
  ],
  // Counted, perhaps proposed, and then out of reach.
  random => [
    kill('F', 'none'),
    on('caught-up', random.pick(['arrived', 'answered', 'returned'] as const)),
    maybe(random, 0.5, on('caught-up-proposal', 'sent')),
    random.pick([cut('P', 'F'), snap('P', 'F'), cut('F', 'P')]),
    on('write', 'answered', 'P'),
    random.pick([kill('P'), kill('F'), kill('G'), MEND]),
  ],
  // Some learn of a new allocation much later than others.
  random => [
    cut('M', random.pick(['P', 'F', 'G', 'C', 'D'])),
    kill(random.pick(['P', 'F', 'G'])),
    on('configuration', 'arrived'),
    maybe(random, 0.6, kill(random.pick(['P', 'F', 'G']))),
  ],
  // The manager dies at the moment of a decision.
  random => [
    kill(random.pick(['P', 'F', 'G']), 'none'),
    on(random.pick(['register', 'caught-up-proposal'] as const), 'arrived'),
    maybe(random, 0.5, on('configuration', 'sent')),
    kill('M'),
  ],
  // A replica has caught up, and its disk does not take what is written next.
  random => [
    kill('F', 'none'),
    on('summaries', 'arrived', 'P', 'F'),
    WORK,
    on('caught-up', 'sent', 'F'),
    refuse('F', 'middle'),
    maybe(random, 0.5, WORK),
    pause('middle'),
    WORK,
  ],
  // A replica lives, and keeps its shard waiting until the others go on without it; then it comes.
  random => [
    ...(random.chance(0.5) ? apart(['P'], ['F'], 'ages') : [cut('P', 'F', 'ages')]),
    WORK,
    pause('lease'),
    maybe(random, 0.5, WORK),
    pause('lease'),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G', 'C', 'M']))),
    maybe(random, 0.7, MEND),
    WORK,
  ],
  // The same, and trouble at the moment of the decision.
  ...often(2, random => [
    ...(random.chance(0.5)
      ? apart(['P'], ['F'], 'ages')
      : [refuse(random.pick(['P', 'F', 'F']), 'long')]),
    WORK,
    on('suspend-proposal', 'arrived', 'M'),
    ...(random.chance(0.5) ? [cut('M', 'F', 'lease'), cut('M', 'C', 'lease')] : []),
    maybe(random, 0.5, on('storage-vote', 'answered')),
    maybe(random, 0.4, kill(random.pick(['P', 'F', 'G', 'C', 'M']))),
    WORK,
    pause(random.pick(['short', 'middle'])),
    WORK,
    maybe(random, 0.5, on('caught-up', 'arrived')),
    maybe(random, 0.5, WORK),
  ]),
  // Out of reach of all but one client, which goes on reading; the others are without it from when
  // its lease is over on, not before.
  random => [
    ...apart(['F', 'C'], ['M', 'N', 'O', 'P', 'G'], 'ages'),
    cut('D', 'F', 'ages'),
    pause(random.pick(['middle', 'lease', 'lease'])),
    WORK,
    on('write', 'answered', 'P', 'D'),
    WORK,
    pause('middle'),
    MEND,
  ],
]

/** Where all servers may lose their memory. */
export const POWER_PLOTS: readonly Plot[] = [
  // Flushed, and all power is gone.
  ...often(2, random => [
    maybe(random, 0.3, kill('F', 'none')),
    FLUSHED,
    maybe(random, 0.5, kill('C')),
    powerCut(random.pick(['P', 'F', 'G'])),
  ]),
  // FLUSHes and writes overlap; of what was acknowledged last only the disks know.
  ...often(6, random => [
    FLUSHES,
    pause('short'),
    FLUSHED,
    maybe(random, 0.5, FLUSHED),
    kill('C'),
    powerCut(random.pick(['P', 'F', 'G'])),
  ]),
  // Flushed while a replica was away. It comes back, counts, and is the first of all to return.
  ...often(2, random => [
    kill('F', random.pick(['short', 'middle'])),
    maybe(random, 0.5, WORK),
    FLUSHED,
    on('caught-up-proposal', 'arrived', 'M'),
    on('configuration', 'arrived', 'F'),
    powerCut('F'),
  ]),
  // A FLUSH while a replica is about to become in-sync; it is the one that comes back first.
  ...often(2, random => [
    kill('F', 'none'),
    on('caught-up', random.pick(['arrived', 'returned'] as const)),
    maybe(random, 0.7, FLUSHED),
    maybe(random, 0.8, on('configuration', 'arrived', 'F')),
    maybe(random, 0.5, pause('short')),
    powerCut('F'),
  ]),
  // The same, and its becoming in-sync takes its time.
  ...often(4, random => [
    kill('F', 'none'),
    on('caught-up', 'answered', 'P'),
    cut('P', 'M', 'ages'),
    on('sync', 'returned', 'P', 'F'),
    WORK,
    FLUSHED,
    maybe(random, 0.5, FLUSHED),
    MEND,
    on('configuration', 'arrived', 'F'),
    maybe(random, 0.5, kill('C')),
    powerCut('F'),
  ]),
  // Memory is lost while writes are under way, and not everybody knows at once.
  ...often(2, random => [
    maybe(random, 0.5, cut('M', 'C')),
    on('write', random.pick(['arrived', 'answered'] as const)),
    { kind: 'power cut' },
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.4, { kind: 'power cut' }),
    maybe(random, 0.2, kill('C')),
  ]),
  // The answer to a write is still on its way when nobody remembers that write any more.
  ...often(5, random => [
    maybe(random, 0.6, FLUSHED),
    cut('P', 'C', random.pick(['middle', 'ages'])),
    on('write', 'answered', 'P', 'C'),
    powerCut('P'),
    on('configuration', 'arrived', 'C'),
    maybe(random, 0.5, on('write', 'sent', 'C')),
    MEND,
    maybe(random, 0.3, { kind: 'power cut' }),
  ]),
  // A write that nobody was told of may have survived; the client dies while it repeats older ones.
  ...often(3, random => [
    nth(2 + random.below(4), written('C')),
    cut('P', 'C', 'ages'),
    WORK,
    on('write', 'answered', 'P', 'C'),
    powerCut(random.pick(['P', 'F', 'G'])),
    nth(1 + random.below(2), written('C')),
    kill('C'),
  ]),
]

/** Where one server rots. */
export const ROTTEN_PLOTS: readonly Plot[] = [
  // Its content is bad just when a write of it is open, and the first that it asks is gone.
  random => [
    cut('P', 'G', random.pick(['short', 'middle'])),
    on('replicate', random.pick(['sent', 'arrived'] as const), random.pick(['P', 'F'] as const)),
    ROT,
    snap('P', 'F'),
    maybe(random, 0.5, ROT),
  ],
  // A write has not reached the one that is asked for a good copy, and its answer takes its time.
  random => [
    maybe(random, 0.5, WORK),
    on('replicate', 'sent', 'P', 'F'),
    snap('P', 'F'),
    resumed('F', 'P'),
    cut('F', 'P'),
    ROT,
    maybe(random, 0.5, WORK),
    pause('short'),
    maybe(random, 0.5, ROT),
  ],
]
