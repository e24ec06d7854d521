// Plots of several managers: who leads, who may serve, what is committed.
import { apart, cut, kill, maybe, MEND, on, pause, WORK, type Plot } from '../steps.js'

export const COUNCIL_PLOTS: readonly Plot[] = [
  // The leader dies in the middle of a decision; what the others have of it decides.
  random => [
    kill(random.pick(['P', 'F', 'G']), 'none'),
    on(random.pick(['register', 'caught-up-proposal'] as const), 'arrived'),
    maybe(random, 0.5, cut('M', random.pick(['N', 'O']))),
    maybe(random, 0.6, on('raft', 'arrived', random.pick(['N', 'O'] as const))),
    kill('M', random.pick(['none', 'middle', 'long'])),
    maybe(random, 0.4, kill(random.pick(['N', 'O']))),
  ],
  // A leader without followers: it must commit nothing, and give no lease for long.
  random => [
    ...apart(['M'], ['N', 'O'], 'long'),
    maybe(random, 0.6, kill(random.pick(['P', 'F', 'G']), 'middle')),
    pause('long'),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G']))),
    MEND,
  ],
  // It is heard, but does not hear.
  random => [
    cut('N', 'M', 'long'),
    cut('O', 'M', 'long'),
    maybe(random, 0.5, kill('F', 'middle')),
    pause('long'),
    kill(random.pick(['M', 'N', 'O'])),
  ],
  // A primary out of everybody's reach but its clients': its lease ends, others go on.
  random => [
    ...apart(['P'], ['M', 'N', 'O', 'F', 'G'], 'long'),
    pause('long'),
    maybe(random, 0.5, pause('long')),
    maybe(random, 0.5, kill(random.pick(['M', 'N']))),
    MEND,
  ],
  // The same for another replica, which some clients go on reading from.
  random => [
    ...apart(['F'], ['M', 'N', 'O', 'P', 'G'], 'long'),
    ...(random.chance(0.5) ? apart(['C'], ['M', 'N', 'O'], 'long') : []),
    pause('long'),
    maybe(random, 0.5, on('write', 'answered', 'P')),
    maybe(random, 0.5, pause('middle')),
  ],
  // Out of reach of the managers only: declared down while all its data paths work.
  random => [
    ...apart([random.pick(['P', 'F'])], ['M', 'N', 'O'], 'long'),
    ...(random.chance(0.5) ? apart(['C'], ['M', 'N', 'O'], 'long') : []),
    pause('long'),
    maybe(random, 0.5, kill('M', 'none')),
  ],
  // No majority for longer than a lease: nothing is decided, reads are confirmed.
  random => [
    kill('N', 'long'),
    kill('O', 'long'),
    pause('long'),
    maybe(random, 0.5, kill(random.pick(['P', 'F', 'G']), 'short')),
    maybe(random, 0.3, kill('M', 'none')),
  ],
  // All managers lose their power.
  random => [
    maybe(random, 0.5, kill('F', 'none')),
    maybe(random, 0.5, on('raft', 'arrived')),
    kill('M', 'none'),
    kill('N', 'short'),
    kill('O', random.pick(['none', 'middle'])),
  ],
  // A server comes back while its being down is decided.
  random => [
    kill(random.pick(['P', 'F']), 'long'),
    pause('long'),
    on('register', 'arrived'),
    random.pick([kill('M'), cut('M', 'N'), kill('F', 'none')]),
  ],
  // Two that do not hear each other want to lead, and hear of it at the same moment.
  random => [
    kill('M', 'long'),
    ...apart(['N'], ['O'], 'ages'),
    pause('long'),
    MEND,
    maybe(random, 0.5, pause('short')),
    maybe(random, 0.5, kill('N', 'none')),
  ],
  // Whoever has voted restarts, and is asked again by one who knows nothing of that vote.
  random => [
    ...apart(['M'], ['O'], 'ages'),
    kill('M', 'short'),
    pause('long'),
    cut('O', 'N', 'middle'),
    kill('N', 'none'),
    maybe(random, 0.5, WORK),
    pause('middle'),
    MEND,
  ],
  // What it was sent and did not hear comes at once, with the snapshot that replaces it; and in the
  // middle of that it is gone.
  random => [
    cut('M', 'N', 'ages'),
    ...(['F', 'G', 'P', 'F', 'G', 'P', 'F', 'G', 'P'] as const).flatMap(player => [
      kill(player, 'none'),
      on('caught-up-proposal', 'arrived', 'M'),
    ]),
    maybe(random, 0.5, on('raft', 'sent', 'M')),
    MEND,
    { ...on('raft', 'arrived', 'N'), of: 'snapshot' },
    maybe(random, 0.7, pause('short')),
    kill('N', 'none'),
  ],
]
