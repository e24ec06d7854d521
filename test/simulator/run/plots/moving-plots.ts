// Plots of copies that move: servers are emptied, join, and have this undone half way.
import {
  cut,
  drain,
  FLUSHED,
  kill,
  later,
  maybe,
  MEND,
  often,
  on,
  pause,
  snap,
  UNDRAIN,
  WORK,
  type Plot,
} from '../steps.js'

export const MOVING_PLOTS: readonly Plot[] = [
  // A new copy is being made while somebody who is needed for it goes.
  random => [
    random.chance(0.5) ? { kind: 'join' } : drain(random.pick(['P', 'F', 'G'])),
    random.chance(0.5) ? drain(random.pick(['P', 'F'])) : null,
    on(random.pick(['summaries', 'blocks', 'caught-up'] as const), 'answered'),
    WORK,
    maybe(random, 0.7, kill(random.pick(['P', 'F', 'G', 'M']))),
    maybe(random, 0.5, pause('middle')),
    maybe(random, 0.5, UNDRAIN),
    WORK,
  ],
  // The old copy is about to be dropped, and who has it does not hear of it.
  random => [
    random.chance(0.3) ? { kind: 'join' } : null,
    drain('F'),
    later(on('caught-up-proposal', 'arrived', 'M')),
    WORK,
    on('storage-vote', random.pick(['arrived', 'answered'] as const), 'F'),
    cut('M', 'F', random.pick(['middle', 'lease'])),
    ...(random.chance(0.5) ? [cut('M', 'C', 'lease'), cut('P', 'F', 'lease')] : []),
    WORK,
    pause('middle'),
    maybe(random, 0.4, kill(random.pick(['P', 'G', 'C']))),
    WORK,
  ],
  // Nobody but a client reaches it any more when the new copy is there, or when it has just agreed
  // to lose its own; and that client goes on reading.
  ...often(4, random => [
    random.chance(0.5) ? { kind: 'join' } : null,
    drain('F'),
    later(on('caught-up-proposal', 'arrived', 'M')),
    maybe(random, 0.5, later(on('storage-vote', 'answered', 'F'))),
    ...(['M', 'N', 'O'] as const).flatMap(manager => [
      cut(manager, 'F', 'lease'),
      cut(manager, 'C', 'lease'),
    ]),
    cut('P', 'C', 'lease'),
    maybe(random, 0.5, cut('G', 'C', 'lease')),
    WORK,
    on('write', 'answered', 'P', 'D'),
    WORK,
    pause('middle'),
    maybe(random, 0.5, pause('lease')),
    WORK,
  ]),
  // The primary gives its place up; a client and a follower learn of it late.
  random => [
    drain('P'),
    later(on('storage-vote', 'answered', 'P')),
    cut('M', random.pick(['C', 'F', 'P']), random.pick(['middle', 'lease'])),
    WORK,
    maybe(random, 0.5, snap('P', 'C')),
    pause('middle'),
    maybe(random, 0.5, FLUSHED),
    maybe(random, 0.3, kill('F')),
    MEND,
  ],
  // It is undone while it goes on.
  random => [
    drain(random.pick(['P', 'F', 'G'])),
    on(random.pick(['caught-up', 'storage-vote'] as const), 'arrived'),
    UNDRAIN,
    maybe(random, 0.5, kill(random.pick(['F', 'G', 'M']), 'none')),
    WORK,
  ],
]
