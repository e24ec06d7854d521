// Rules of the shard protocol (design §5), each left out once: those of the model in
// models/shard-protocol.mjs by their names there, and others that bugs have taught us.
//
// Two rules are kept, and have no mutant, since nothing can be seen without them as things are:
// - fetch-in-flight (no walk of the model sees it either): blocks with a write in flight are given
//   to a syncing replica when that is settled. The primary is the only source, so whatever it gives
//   too early reaches the replica as a write as well, before or after, and a new allocation
//   compares again.
// - A client's write gets a new number when the generation has risen. Servers that have restarted
//   know no numbers, and a generation rises only when all have; it is for one that is made in-sync
//   without having restarted.
//
// Of writes that are to be durable one rule is here. Which replicas must have made them so is left
// to the walk of test/storage/replication, which looks at each answer: in whole clusters a replica
// that acknowledges has nearly always done it, and a power cut in the wrong moment is rarer still.
import type { Mutant } from './mutant.js'

const SETTLING: readonly Mutant[] = [
  {
    name: 'no-settling',
    breaks: 'A new primary serves nothing before it has settled what the last epoch left open.',
    edits: [
      {
        file: 'storage/replication/primary-state.ts',
        find: `    for (const from of missing) options.emit({ kind: 'gather', from })
    this.#gatheredAll()`,
        replace: `    options.list.clear()
    this.#settling = { kind: 'settled' }`,
      },
    ],
    caughtBy: 4,
  },
  {
    name: 'settle-without-gather',
    breaks: 'It gathers the open writes of all in-sync replicas, not just its own.',
    edits: [
      {
        file: 'storage/replication/primary-state.ts',
        find: 'const missing = new Set(this.#queue.inSync())',
        replace: 'const missing = new Set<PeerId>()',
      },
    ],
    caughtBy: 7,
  },
  {
    name: 'settle-forgets-once',
    breaks: 'Settling carries the requests of what it settles.',
    edits: [
      {
        file: 'storage/replication/primary-state.ts',
        find: 'const origins = requests.filter(w => overlap(w, span)).flatMap(w => w.origins)',
        replace: 'const origins = requests.filter(() => false).flatMap(w => w.origins)',
      },
    ],
    caughtBy: 3,
  },
  {
    name: 'settle-forgets-executed',
    breaks: 'Settling carries also requests that some replica knows to be committed.',
    edits: [
      {
        file: 'storage/replication/primary-state.ts',
        find: '.filter(write => open.some(span => overlap(span, write)))',
        replace: '.filter(write => open.some(span => overlap(span, write)) && false)',
      },
    ],
    mode: 'shared',
    caughtBy: 119,
  },
  {
    name: 'settle-keeps-old-list',
    breaks: 'What a new primary has settled is void in the lists of the others.',
    edits: [
      {
        file: 'storage/replication/follower-state.ts',
        find: 'if (message.settling) list.settle({ block, blocks }, allocation)',
        replace: '',
      },
    ],
    caughtBy: 4,
  },
  {
    name: 'syncing-keeps-no-list',
    breaks: 'Syncing replicas, too, keep the list of writes not known to be committed.',
    edits: [
      {
        file: 'storage/replication/follower-state.ts',
        find: 'list.add({ block, blocks, allocation, sequence: message.sequence, origins })',
        replace: `if (!this.#o.syncing)
      list.add({ block, blocks, allocation, sequence: message.sequence, origins })`,
      },
    ],
    caughtBy: 592,
  },
]

const SERVING: readonly Mutant[] = [
  {
    name: 'read-in-flight',
    breaks: 'A range with a write not known to be committed is read when that is settled.',
    edits: [
      {
        file: 'storage/replica/shard-reader.ts',
        find: 'if (isHead && state.undecided(span)) return context.park(call)',
        replace: '',
      },
    ],
    caughtBy: 3,
  },
  {
    name: 'keep-insync-over-restart',
    breaks: 'In-sync belongs to one incarnation: who has restarted is nothing until it is named.',
    edits: [
      {
        file: 'storage/replication/replica-state.ts',
        find: 'if (!replica || replica.incarnation !== who.incarnation) return',
        replace: 'if (!replica) return',
      },
    ],
    caughtBy: 6,
  },
  {
    name: 'ack-before-all',
    breaks: 'A write is acknowledged when all in-sync replicas have it.',
    edits: [
      {
        file: 'storage/replication/replication-queue.ts',
        find: 'if (required(follower) && follower.acknowledged < upTo)',
        replace: 'if (follower.acknowledged < 0)',
      },
    ],
    caughtBy: 1,
  },
  {
    name: 'no-epoch-check',
    breaks: 'A request made under an allocation that is replaced is refused.',
    edits: [
      {
        file: 'layout/epoch-rule.ts',
        find: "if (client < allocation) return 'refuse-stale'",
        replace: '',
      },
    ],
    caughtBy: 2,
  },
  {
    name: 'no-epoch-check-ahead',
    breaks: 'A request of a newer epoch is not executed before the server has that epoch.',
    edits: [
      {
        file: 'layout/epoch-rule.ts',
        find: "if (client > server) return 'ask-manager'",
        replace: '',
      },
    ],
    caughtBy: 2,
  },
  {
    name: 'no-epoch-check-among-replicas',
    breaks: 'What replicas say to each other is valid in one allocation only.',
    edits: [
      {
        file: 'storage/replication/replica-state.ts',
        find: 'return message.allocation === this.epoch',
        replace: 'return true',
      },
    ],
    caughtBy: 54,
  },
  {
    name: 'no-check-after-reading',
    // The comparison of epochs alone is not missed: who is in-sync in both allocations was so all
    // the time, and what it read was the newest when the read began.
    breaks: 'Whether a read may be served is decided after the disk was read.',
    edits: [
      {
        file: 'storage/replica/shard-reader.ts',
        find: `  if (state.epoch !== allocation) return host.dispatch(call)
  if (!vouched || !state.serving ||`,
        replace: `  if (allocation < 0) return host.dispatch(call)
  if (!vouched ||`,
      },
    ],
    caughtBy: 12,
  },
  {
    name: 'corrupt-is-served',
    breaks: 'A block whose checksum does not match is repaired or an error (I8).',
    edits: [
      {
        file: 'storage/replica/shard-reader.ts',
        find: 'if (corrupt.length > 0) {\n      if (call.repairs',
        replace: 'if (corrupt.length > 9e9) {\n      if (call.repairs',
      },
    ],
    mode: 'rotten',
    caughtBy: 1,
  },
  {
    name: 'repair-over-open-write',
    breaks: 'A corrupt block is repaired only while no write of it is open, or arrives.',
    edits: [
      {
        file: 'storage/replica/block-repair.ts',
        find: "if (isHead && !(await decided(context, span))) return 'not-now'",
        replace: '',
      },
      {
        file: 'storage/replica/block-repair.ts',
        find: "if (isHead && guard.touched(block)) return 'repaired'",
        replace: '',
      },
    ],
    mode: 'rotten',
    caughtBy: 41,
  },
]

const ONCE: readonly Mutant[] = [
  {
    name: 'no-once',
    breaks: 'A retry of a write that was executed is acknowledged, not executed again.',
    edits: [
      {
        file: 'storage/replication/primary-state.ts',
        find: 'const spans = once.remaining({ client, request }, write.span)',
        replace: 'const spans: readonly BlockSpan[] = [write.span]',
      },
    ],
    caughtBy: 20,
  },
  {
    name: 'no-once-handover',
    breaks: 'A replica that becomes in-sync takes over the once table of the primary.',
    edits: [
      {
        file: 'storage/replication/replica-state.ts',
        find: 'return this.#once.merge(event.reply.executed)',
        replace: 'return',
      },
    ],
    caughtBy: 82,
  },
  {
    name: 'once-forgotten-at-once',
    breaks: 'Requests are forgotten when the client says that they are complete, not before.',
    edits: [
      {
        file: 'storage/replication/once-table.ts',
        find: 'if (request < below && writes.executed.delete(request)) this.#size--',
        replace: 'if (writes.executed.delete(request)) this.#size--',
      },
    ],
    caughtBy: 17,
  },
]

const CATCHING_UP: readonly Mutant[] = [
  {
    name: 'compare-once',
    breaks: 'Comparing starts again in every new epoch of the shard.',
    edits: [
      {
        file: 'storage/replication/replica-state.ts',
        find: `    this.#role = roleIn(allocation, this.#identity)
    this.#primary = null`,
        replace: `    const before = this.#role
    this.#role = roleIn(allocation, this.#identity)
    const goesOn = before === 'syncing' && this.#role === 'syncing'
    this.#primary = null`,
      },
      {
        file: 'storage/replication/replica-state.ts',
        find: "this.#emit({ kind: 'stop-catch-up' })",
        replace: "if (!goesOn) this.#emit({ kind: 'stop-catch-up' })",
      },
      {
        file: 'storage/replication/replica-state.ts',
        find: "this.#emit({ kind: 'catch-up', everything: false })",
        replace: "if (!goesOn) this.#emit({ kind: 'catch-up', everything: false })",
      },
    ],
    caughtBy: 50,
  },
  {
    name: 'compare-newer-only',
    breaks: 'Whatever differs is taken, older or newer alike.',
    edits: [
      {
        file: 'storage/replica/catch-up.ts',
        find: 'if (isNew && !this.#everything) continue',
        replace: `if (isNew && !this.#everything) continue
      const other = decodeEntry(theirs, slot)
      if (ours && other && other.epoch <= ours.epoch) continue`,
      },
    ],
    caughtBy: 6,
  },
  {
    name: 'overwrite-newer',
    breaks: 'A block written while it is being copied is left alone.',
    edits: [
      {
        file: 'storage/replica/catch-up.ts',
        find: 'const take = entry !== undefined && !guard?.touched(span.block + i)',
        replace: 'const take = entry !== undefined',
      },
    ],
    caughtBy: 371,
  },
  {
    name: 'counted-without-everything',
    breaks: 'A replica is counted only when it misses nothing that was ordered.',
    edits: [
      {
        file: 'storage/replication/replication-queue.ts',
        find: 'if (applied < follower.skipped || applied < this.#base()) return false',
        replace: '',
      },
      {
        file: 'storage/replication/replication-queue.ts',
        find: "follower.counted !== 'counted' || follower.acknowledged < follower.target",
        replace: "follower.counted !== 'counted'",
      },
    ],
    caughtBy: 19,
  },
  {
    name: 'insync-before-fsync',
    breaks: 'A replica is durable before it is proposed to be in-sync.',
    edits: [
      {
        file: 'storage/replica/primary-duties.ts',
        find: `const reply = await host.peers.request(server, 'sync', this.#context.here())
    if (this.#over(epoch) ||`,
        replace: `const reply = { ok: true } as { ok: boolean } | typeof LOST
    await Promise.resolve(host)
    if (this.#over(epoch) ||`,
      },
      {
        file: 'storage/replica/catch-up.ts',
        find: 'await store.flush()',
        replace: 'await Promise.resolve(store)',
      },
    ],
    caughtBy: 94,
  },
  {
    name: 'confirm-without-counting',
    breaks: 'Writes need the acknowledgement of a replica from when it is counted on.',
    edits: [
      {
        file: 'storage/replication/replication-queue.ts',
        find: 'if (required(follower) && follower.acknowledged < upTo)',
        replace: 'if (follower.inSync && follower.acknowledged < upTo)',
      },
    ],
    caughtBy: 98,
  },
  {
    name: 'proposed-is-uncounted',
    breaks: 'Once proposed, a replica stays counted: it may become in-sync any time.',
    edits: [
      {
        file: 'storage/replication/replication-queue.ts',
        find: "if (follower && follower.counted !== 'proposed') follower.counted = 'no'",
        replace: "if (follower) follower.counted = 'no'",
      },
    ],
    caughtBy: 98,
  },
]

const FLUSHING: readonly Mutant[] = [
  {
    name: 'flush-without-counting',
    breaks: 'FLUSH makes counted replicas durable as well.',
    edits: [
      {
        file: 'storage/replica/primary-duties.ts',
        find: 'const others = state.required()',
        replace: 'const others = state.inSyncOthers()',
      },
    ],
    mode: 'exclusive',
    caughtBy: 374,
  },
  {
    name: 'flush-skips-a-replica',
    breaks: 'FLUSH makes every in-sync replica durable.',
    edits: [
      {
        file: 'storage/replica/primary-duties.ts',
        find: 'const others = state.required()',
        replace: 'const others = state.required().slice(1)',
      },
    ],
    caughtBy: 19,
  },
  {
    name: 'flush-of-the-others-only',
    breaks: 'FLUSH makes the primary durable.',
    edits: [
      {
        file: 'storage/replica/primary-duties.ts',
        find: 'const own = store.flush().then(',
        replace: 'const own = Promise.resolve().then(',
      },
    ],
    caughtBy: 9,
  },
  {
    name: 'flush-is-dropped',
    breaks: 'FLUSH reaches the storage servers before it is acknowledged.',
    edits: [
      {
        file: 'client/shard/shard-line.ts',
        find: 'return this.#flushable ? this.#flushes.request() : Promise.resolve()',
        replace: 'if (this.#flushable) void this.#flushes.request()\n    return Promise.resolve()',
      },
    ],
    caughtBy: 1,
  },
  {
    name: 'flush-under-way-is-joined',
    breaks: 'A FLUSH under way does not cover what was acknowledged since it began.',
    edits: [
      {
        file: 'client/shard/shard-line.ts',
        find: 'return this.#flushable ? this.#flushes.request() : Promise.resolve()',
        replace: `if (!this.#flushable) return Promise.resolve()
    return this.#flushes.running ?? this.#flushes.request()`,
      },
    ],
    mode: 'exclusive',
    caughtBy: 555,
  },
  {
    name: 'durable-before-flush',
    breaks: 'A write that is to be durable is acknowledged when its flush has ended.',
    edits: [
      {
        file: 'storage/replica/write-applier.ts',
        find: 'const [done] = await Promise.all([flushed, storing])',
        replace: 'await storing\n    const done = true',
      },
    ],
    mode: 'exclusive',
    caughtBy: 164,
  },
  {
    name: 'flush-of-own-writes-only',
    breaks: 'The first FLUSH makes durable what a dead client before us left.',
    edits: [
      {
        file: 'client/shard/shard-line.ts',
        find: 'this.unflushed || this.#inherited',
        replace: 'this.unflushed',
      },
    ],
    caughtBy: 9,
  },
  {
    name: 'no-replay',
    breaks: 'A client replays what was acknowledged and not flushed when memory was lost.',
    edits: [
      {
        file: 'client/shard/shard-line.ts',
        find: 'this.#replay.start()',
        replace: '',
      },
    ],
    caughtBy: 50,
  },
  {
    name: 'replay-not-first',
    breaks: 'What was lost is replayed before anything new is sent.',
    edits: [
      {
        file: 'client/shard/request-life.ts',
        find: 'if (this.#shard.replaying && !this.#call.replay) {',
        replace: 'if (this.#shard.replaying && !this.#call.replay && this.#needed < 0) {',
      },
    ],
    caughtBy: 90,
  },
  {
    name: 'replay-over-newer',
    breaks: 'A replay puts nothing over a write under way that may have survived.',
    edits: [
      {
        file: 'client/shard/shard-line.ts',
        find: '[...this.#kept.list(), ...this.#sent]',
        replace: 'this.#kept.list()',
      },
    ],
    mode: 'exclusive',
    caughtBy: 386,
  },
  {
    name: 'no-generation-check',
    breaks: 'An answer of a generation that is over is no answer.',
    edits: [
      {
        file: 'client/shard/request-life.ts',
        find: `    if (now.generation !== view.allocation.generation) return false
    if (reply.generation !== now.generation) return this.#sleep()`,
        replace: '    if (now.generation < 0) return false',
      },
    ],
    mode: 'exclusive',
    caughtBy: 715,
  },
]

const STORE: readonly Mutant[] = [
  {
    name: 'merge-before-stored',
    breaks: 'A block that is written in part is merged with what earlier writes make of it.',
    edits: [
      {
        file: 'storage/replica/write-applier.ts',
        find: '} while (!this.#isQuiet(span))',
        replace: '} while (this.#round < 0)',
      },
    ],
    caughtBy: 1746,
  },
  {
    name: 'flush-without-fsync',
    breaks: 'What a store has flushed is on the disk.',
    edits: [
      {
        file: 'storage/store/layer-store.ts',
        find: 'await this.#file.sync()',
        replace: 'await Promise.resolve()',
      },
    ],
    caughtBy: 6,
  },
  {
    name: 'no-recovery',
    breaks: 'After an unclean stop every block of a dirty region is decided by its checksum.',
    edits: [
      {
        file: 'storage/store/dirty/recovery.ts',
        find: 'if (decided === current) continue',
        replace: 'if (decided) continue',
      },
    ],
    caughtBy: 11,
  },
  {
    name: 'region-not-logged',
    breaks: 'A region is in the dirty log before its first write.',
    edits: [
      {
        file: 'storage/store/layer-store.ts',
        find: 'if (region.logging !== null || region.mustLog(span)) return false',
        replace: 'if (region.logging !== null) return false',
      },
    ],
    caughtBy: 10,
  },
]

export const SHARD_MUTANTS: readonly Mutant[] = [
  ...SETTLING,
  ...SERVING,
  ...ONCE,
  ...CATCHING_UP,
  ...FLUSHING,
  ...STORE,
]
