// Every size, queue, wait and retry of swarmdisk that has a limit, with the reason for its value
// (invariant I9). Relations between limits are asserted where they are loaded, at the end.
import { assert } from './assert.js'

const KiB = 1024
const MiB = 1024 * KiB

/** The unit of atomic writing, checksumming and copy-on-write: the page size of every host. */
export const BLOCK_BYTES = 4 * KiB
/**
 * The striping unit: long enough for a sequential reader to stay on one disk, short enough to
 * spread.
 */
export const EXTENT_BYTES = 4 * MiB
export const BLOCKS_PER_EXTENT = EXTENT_BYTES / BLOCK_BYTES
/** One index entry: epoch and state in 32 bits, crc32 in 32 bits. */
export const INDEX_ENTRY_BYTES = 8
/** One index page describes 512 blocks: the dirty region and the unit of comparison (2 MiB). */
export const BLOCKS_PER_INDEX_PAGE = BLOCK_BYTES / INDEX_ENTRY_BYTES

export const SHARDS_MIN = 8
export const SHARDS_MAX = 1024
export const REPLICAS_MAX = 7
/** Raft groups beyond five only vote more slowly. */
export const MANAGERS_MAX = 5
/** A volume above this would need more than 2^32 extents' worth of bookkeeping in a client. */
export const VOLUME_BYTES_MAX = 64 * 1024 * 1024 * MiB
/** Each costs every peer of the cluster some KiB, and a line in what `status` and lists answer. */
export const VOLUMES_MAX = 10_000
export const SERVERS_MAX = 4096
/** Volume, server and domain names: they become file names, and columns of tables. */
export const NAME_LENGTH_MAX = 64
/**
 * Deleted volumes a configuration remembers, so that a server that was away may drop their data.
 */
export const DELETED_VOLUMES_REMEMBERED = VOLUMES_MAX

/** Payload of one read or write: FUSE asks for at most 1 MiB at a time. */
export const REQUEST_BYTES_MAX = 1 * MiB
/** One frame of a link: a payload, its header, and room for a whole configuration. */
export const FRAME_BYTES_MAX = 15 * MiB
/**
 * Slabs that small buffers are cut from: a frame of a few KiB costs no memory of its own, whose
 * coming and going would keep the garbage collector busy. What is kept for long is copied out.
 */
export const BUFFER_SLAB_BYTES = 64 * KiB
/**
 * How far the heap, and the buffers that hang on it, may grow over what was live before all of it
 * is looked through again. Left to itself V8 does that for every few MiB of payload that came and
 * went (half of the CPU time of a sequential write). Twice what is live: with the payload that a
 * client keeps until a FLUSH that stays below 250 MiB.
 */
export const HEAP_GROWING_PERCENT = 200
/**
 * Bytes of bytecode after which V8 looks whether a function is worth compiling: of its own 66 KiB a
 * fifth. At depth 1 a path is taken a few hundred times a second, and with theirs it took ten
 * seconds and more to become fast; what it is then is the same.
 */
export const INTERRUPT_BUDGET_BYTES = 12_000
/** Small messages of one turn share a frame up to this size. */
export const FRAME_BATCH_BYTES = 64 * KiB

/** A proof, a hello and nothing else may pass before this. */
export const ADMISSION_TIMEOUT_MS = 5_000
/** Own heartbeat of every link; `close` events come far too late (field notes 3.3). */
export const PING_INTERVAL_MS = 1_000
/** A link without a sign of life for this long is dead. Above any pause a busy host takes. */
export const LINK_SILENCE_MS = 6_000
/** The same for a link of a peer whose other link just broke: two pings and some more. */
export const LINK_DOUBT_MS = 2_500
/** Known members are redialled this often. */
export const REDIAL_INTERVAL_MS = 1_500

// ---- command line ----------------------------------------------------------------------------

/** Bodies on the local control socket: a status of the largest cluster is a few MiB. */
export const CONTROL_BODY_BYTES_MAX = 64 * MiB
/** A command gives up on a silent cluster after this; long enough to find it through a slow DHT. */
export const COMMAND_DEADLINE_MS = 15_000
/** The same inside of a process asked through its socket, whose last word must still get out. */
export const LOCAL_COMMAND_DEADLINE_MS = COMMAND_DEADLINE_MS - 1_000
/** A process that joins waits this long for its manager before it says that it still waits. */
export const JOIN_NOTICE_MS = 10_000
/** A clean stop may take this long before the process leaves anyway; blocks are safe by then. */
export const STOP_DEADLINE_MS = 10_000
/**
 * A process of `dev` that has not said "ready" by then is broken: building nothing, it takes 2 s.
 */
export const CHILD_READY_MS = 60_000
/** `dev` waits this long before it restarts what ended, so that people can watch the gap. */
export const RESTART_DELAY_MS = 5_000
/** One command of the demo; copying the files takes seconds. */
export const DEMO_STEP_MS = 180_000

// ---- configuration watch ---------------------------------------------------------------------

/** A manager answers from memory; one that does not is busy or gone, so another is asked. */
export const CONFIGURATION_FETCH_MS = 3_000
export const CONFIGURATION_RETRY_MIN_MS = 50
export const CONFIGURATION_RETRY_MAX_MS = 5_000
/** Fetches for an epoch that no manager turns out to have, before it is taken for a mistake. */
export const CONFIGURATION_FETCHES_MAX = 12

// ---- messages and their codecs ----------------------------------------------------------------
/** Ways to reach one peer: a few interfaces, IPv4 and IPv6. */
export const ADDRESSES_MAX = 32
/** Of one volume: a year of daily ones and more; each is an entry in the configuration. */
export const SNAPSHOTS_MAX = 1_000
/** Of those, made by schedules: the rest is for people and backups. */
export const SCHEDULED_SNAPSHOTS_MAX = 800
/** The identity of an imported snapshot: cluster, volume and layer, with room. */
export const SNAPSHOT_SOURCE_LENGTH_MAX = 128
/** A head, a layer for each snapshot, and as many again where rollbacks made forks. */
export const LAYERS_MAX = 2 * SNAPSHOTS_MAX + 1
/** Gaps that rolled-back layers leave in the numbers that one layer covers. */
export const LAYER_RANGES_MAX = 65_536
/**
 * Of all volumes together, since a whole configuration has to fit a frame and the memory of each
 * peer: attachments at some 75 bytes with the identity of the client, snapshots at some 70 with
 * their layers, both far below what one volume alone may have times the volumes.
 */
export const ATTACHMENTS_IN_CLUSTER_MAX = 32_768
export const SNAPSHOTS_IN_CLUSTER_MAX = 65_536
/** Peers that one record names: servers, managers, clients, and as many servers that are gone. */
export const PEERS_NAMED_MAX = 2 * SERVERS_MAX + MANAGERS_MAX + ATTACHMENTS_IN_CLUSTER_MAX
/** Sentences for people inside messages; the rest of a longer one is cut. */
export const SENTENCE_BYTES_MAX = 1_000
/** Writes of clients named in one message: a full once table at 40 bytes each is 2.5 MiB. */
export const ORIGINS_MAX = 65_536
/** Page summaries in one answer: 128 GiB of a shard, at most 4 MiB on the wire. */
export const PAGES_COMPARED_MAX = 65_536
/** Shards one server reports or proposes at a time; 40 bytes each stay well below a frame. */
export const SHARDS_REPORTED_MAX = 262_144
/** The largest answer to a command: `status` of VOLUMES_MAX volumes takes about 2 MiB. */
export const ADMIN_JSON_BYTES_MAX = 8 * MiB

/** Ranges of changed blocks in one answer: at 19 bytes each far below a frame, seldom filled. */
export const HELD_RANGES_MAX = 1_024

// ---- layout ----------------------------------------------------------------------------------

/** A shard above this takes long to copy: 8 GiB are rebuilt in a minute and a half at 100 MB/s. */
export const SHARD_BYTES_AIM = 8 * 1024 * MiB
/**
 * Enough for a lost server's shards to be rebuilt by several others at once, few enough to flush.
 */
export const SHARDS_PER_SERVER_AIM = 3
/**
 * But not more of them for that, however many servers there are: eight servers' worth. What a
 * volume costs each peer must not grow with the servers; a larger one has more by its size.
 */
export const SPREAD_SHARDS_MAX = 24
/** Replicas of a shard beyond what its volume wants: a copy is made before the other one goes. */
export const REPLICAS_ON_THE_WAY = 1
/**
 * Copies that all volumes want together, each shard counted with one on its way: 262,144 shards of
 * three replicas, 7 MiB of a configuration's frame. Volumes of the least size reach VOLUMES_MAX.
 */
export const COPIES_IN_CLUSTER_MAX = 1_048_576
export const ALLOCATION_REPLICAS_MAX = REPLICAS_MAX + REPLICAS_ON_THE_WAY
/** Holders of one shard, replicas and stale ones: every replica may be on its way to elsewhere. */
export const ALLOCATION_SERVERS_MAX = 2 * REPLICAS_MAX
/**
 * Shards of one change: some 2 MiB encoded, far below a frame. The planner goes on with the rest.
 */
export const REALLOCATIONS_PER_CHANGE = 4096
/** Clients that share one volume: a large cluster file system; 300 bytes each in a record. */
export const ATTACHMENTS_MAX = 1_024
/** A time in ISO 8601, with room. */
export const DATE_LENGTH_MAX = 40
/** The longest host name there is. */
export const HOST_LENGTH_MAX = 255
/** A server's share of shards, in GiB by default: no machine has as many. */
export const WEIGHT_MAX = 2 ** 32 - 1

// ---- swarm network ---------------------------------------------------------------------------

/** What may arrive before admission: below 1 KiB, but one read (64 KiB) may hold frames as well. */
export const UNADMITTED_BYTES_MAX = 128 * KiB
/**
 * Connections waiting for admission: a whole cluster reconnecting at once comes in a few rounds.
 */
export const UNADMITTED_LINKS_MAX = 256
/** A peer that gave a wrong proof has another key; it is not heard again for this long. */
export const ADMISSION_BACKOFF_MS = 10_000
/** Peers remembered for that; the oldest is forgotten first. */
export const ADMISSION_BACKOFFS_MAX = 1_024
/**
 * One message of a Noise stream: a frame and what encryption adds. Longer ones are not begun with.
 */
export const LINK_MESSAGE_BYTES_MAX = FRAME_BYTES_MAX + 64
/** What one read from the socket of a link may return; as much as the runtime would take. */
export const LINK_READ_BYTES = 64 * KiB
/** Of frames whose memory is used again: smaller payloads cost little, larger ones are rare. */
export const REUSED_PAYLOAD_MIN = 64 * KiB
export const REUSED_PAYLOAD_MAX = REQUEST_BYTES_MAX
/** For what is around the payload. */
export const REUSED_HEADER_ROOM = 4 * KiB
/** Spare frames of a process: as many of the largest as a sequential reader has under way. */
export const SPARE_FRAMES_BYTES = 8 * (REUSED_PAYLOAD_MAX + REUSED_HEADER_ROOM)
/** Frames queued in a link before `send` says stop: enough to keep a fast network busy. */
export const LINK_BUFFER_BYTES = 2 * MiB
/** A link with more than this queued is closed: somebody does not heed `send`. */
export const LINK_QUEUE_BYTES_MAX = 64 * MiB
/** Admitted links: every peer of the largest cluster, with a swarm and a direct link each. */
export const LINKS_MAX = 2 * SERVERS_MAX
/** Opening a TCP connection and its handshake; a host that is gone is told from a busy one. */
export const DIRECT_DIAL_TIMEOUT_MS = 3_000
/** Dials under way at once; those to dead peers take seconds and must not hold back the others. */
export const SWARM_DIALS_MAX = 32
/** Looking for peers on the DHT: often while something changes, rarely later. */
export const LOOKUP_INTERVAL_MIN_MS = 100
export const LOOKUP_INTERVAL_PUBLIC_MS = 60_000
/** Ours has few nodes, and one that was restarted has to be told of everybody again. */
export const LOOKUP_INTERVAL_PRIVATE_MS = 10_000
/** The same while nobody is linked: a peer that waits for the first other one. */
export const LOOKUP_INTERVAL_ALONE_MS = 5_000
/** Telling the DHT that we leave is a courtesy; records expire by themselves. */
export const SWARM_STOP_MS = 500

// FUSE mounts and loop devices

/** What libfuse 2 and its kernel protocol carry in one request (field notes 3.1). */
export const FUSE_REQUEST_BYTES = 128 * KiB
/** Open image files of one mount; each costs one small record. As many as volumes. */
export const FUSE_HANDLES_MAX = VOLUMES_MAX
/**
 * Requests that the kernel transport has in flight at the kernel's initiative (asynchronous direct
 * I/O: loop devices, libaio). More than the driver's window of bytes would only wait in our memory.
 */
export const FUSE_BACKGROUND_MAX = 64
/** Above this the kernel tells its own writers to slow down: three quarters, as its default is. */
export const FUSE_CONGESTION_THRESHOLD = (FUSE_BACKGROUND_MAX * 3) / 4
/** What one read from the device may return: the largest WRITE with its header, in whole pages. */
export const FUSE_FRAME_BYTES = REQUEST_BYTES_MAX + 4 * KiB
/** Small requests and their answers get memory of this size instead of a whole frame. */
export const FUSE_SMALL_BUFFER_BYTES = 20 * KiB
/** Spare memory kept for the next requests: some large ones, and all small ones of the kernel. */
export const FUSE_SPARE_FRAMES_MAX = 8
export const FUSE_SPARE_SMALL_BUFFERS_MAX = FUSE_BACKGROUND_MAX
/**
 * No more requests are taken from the kernel while those under way hold this much memory, or are
 * this many: all of the kernel's own initiative fit, and beside them those of many processes that
 * wait for an answer each.
 */
export const FUSE_HELD_BYTES_MAX = 80 * MiB
export const FUSE_REQUESTS_MAX = 1_024
/** Requests taken in one turn of the event loop, so that the network has its turn as well. */
export const FUSE_REQUESTS_PER_TURN = 32
/** Reads that wait in libuv's pool where the event loop cannot poll the device. */
export const FUSE_READERS_MAX = 4
/** Who sends one request after the other is not looked at after each of them: it costs 5 us. */
export const FUSE_EMPTY_LOOKS = 3
/**
 * A mount stays awake for the next event where half of them come within this: somewhat more than a
 * server in the same rack takes to answer, and no more than a few wake-ups cost (50 us each).
 */
export const FUSE_AWAKE_MS = 0.25
export const FUSE_AWAKE_SHARE = 0.5
/** With more requests under way events come often enough. */
export const FUSE_AWAKE_REQUESTS_MAX = 2
/** How often it looks: the half of this is what an event waits. */
export const FUSE_AWAKE_TURN_MS = 0.004
/** Threads of that pool by default, and those that are left for files and names of hosts. */
export const POOL_THREADS_DEFAULT = 4
export const POOL_THREADS_SPARED = 2
/** A device that is not mounted yet is asked again after this; mounting takes milliseconds. */
export const FUSE_DEVICE_RETRY_MS = 2
/** Files that the kernel knows by number; it forgets them when it needs memory. 100 bytes each. */
export const FUSE_NODES_MAX = 262_144
/** An aborted mount is taken away by whoever aborted it; after this long, by us. */
export const ABORTED_MOUNT_GRACE_MS = 5_000
/** Zeroes are written in requests of full size, as many at a time as keep three servers busy. */
export const DISCARD_PIECE_BYTES = REQUEST_BYTES_MAX
export const DISCARD_PIECES_AT_ONCE = 4
/** How long the kernel may believe a name or a size: a deleted volume disappears within it. */
export const FUSE_ATTRIBUTE_SECONDS = 1
/** From calling libfuse to the kernel's first message; takes milliseconds on an idle machine. */
export const MOUNT_DEADLINE_MS = 10_000
/** A mount process looks this often whether somebody else unmounted it. */
export const MOUNT_WATCH_INTERVAL_MS = 500
/** Dead mounts stacked on one directory by repeated crashes; each clean-up removes one. */
export const DEAD_MOUNTS_MAX = 16
/** A healthy mount answers statfs from memory; longer means that its process hangs. */
export const MOUNT_PROBE_DEADLINE_MS = 2_000
/** Tools that only talk to the kernel (losetup, umount of a mount without dirty data). */
export const TOOL_DEADLINE_MS = 10_000
export const TOOL_OUTPUT_BYTES_MAX = 1 * MiB
/** Unmounting a file system writes all its dirty pages through the cluster. */
export const FILE_SYSTEM_UNMOUNT_DEADLINE_MS = 120_000
/** One step of an abort or of clearing after a dead mount: all steps together stay below 10 s. */
export const ABORT_STEP_DEADLINE_MS = 2_000
/** The first read through a new loop device: a volume whose servers are away is held that long. */
export const FIRST_READ_DEADLINE_MS = 30_000
/** udev and blkid open a block device for moments after every change. */
export const DEVICE_RELEASE_DEADLINE_MS = 3_000
export const DEVICE_RELEASE_INTERVAL_MS = 50
/** Between the access that `attach` gets and the device it makes: a stat, a losetup, a read. */
export const CLAIM_HELD_MS = FIRST_READ_DEADLINE_MS + MOUNT_PROBE_DEADLINE_MS
/** `detach` waits this long until the mount has flushed and given the volume back. */
export const RELEASE_WAIT_MS = 5_000
/** Processes named in one error message. */
export const HOLDERS_NAMED_MAX = 5

// ---- manager ---------------------------------------------------------------------------------

/** The newest records stay readable for `epoch list`: weeks of a busy cluster. */
export const HISTORY_RECORDS_KEPT = 10_000
/** The same as disk space: records of many shards are large, and older ones go first. */
export const HISTORY_BYTES_KEPT = 256 * MiB
/**
 * A segment is rotated, and a snapshot written, after this much: a start replays at most as much.
 */
export const HISTORY_SEGMENT_RECORDS = 2_500
export const HISTORY_SEGMENT_BYTES = 16 * MiB
/** Changes that share one sync; more wait for the next one. */
export const HISTORY_BATCH_RECORDS = 64
/** One change: all shards of the largest volumes reallocated at once. */
export const HISTORY_RECORD_BYTES_MAX = 8 * MiB
/** All storage servers and managers. */
export const HISTORY_VOTES_MAX = SERVERS_MAX + MANAGERS_MAX
/** Proposals that wait for the disk; above it a proposer is told to try again. */
export const PROPOSALS_WAITING_MAX = 1_024
/** Old configurations in memory, from which deltas are made; they share what did not change. */
export const CONFIGURATIONS_KEPT = 128
/** Pushes to one peer are at least this far apart; commits in between are pushed together. */
export const PUSH_SPACING_MS = 20
/** A peer that is said to be behind is sent what it was already sent only after this. */
export const REPUSH_AFTER_MS = 1_000
/** Caught-up replicas of one change: as many as keep a record small. */
export const CAUGHT_UP_BATCH = 4_096
/** Times that a plan which another change has overtaken is made again at once. */
export const PLAN_ATTEMPTS_MAX = 8
/** Body of an operator's command. */
export const ADMIN_REQUEST_BYTES_MAX = 64 * KiB
/** Records of one answer to `epoch list`. */
export const EPOCH_LIST_MAX = 1_000

// ---- managers among each other -----------------------------------------------------------------

/** A leader shows that it lives this often; one lost message costs nothing. */
export const RAFT_HEARTBEAT_MS = 150
/** Without a leader for this long (and up to the other, by chance) a manager asks for votes. */
export const ELECTION_TIMEOUT_MIN_MS = 1_000
export const ELECTION_TIMEOUT_MAX_MS = 1_800
/** Clocks of two machines count the same second differently by far less than this. */
export const CLOCK_DRIFT_MARGIN_MS = 100
/** Entries of one message; and their bytes, unless one alone is larger. */
export const RAFT_APPEND_ENTRIES_MAX = 1_024
export const RAFT_APPEND_BYTES_MAX = 1 * MiB
/** Messages with entries that one follower has not answered. */
export const RAFT_APPENDS_IN_FLIGHT = 16
/** A message with entries or a snapshot that stays unanswered is sent again after this. */
export const RAFT_RESEND_MS = 1_000
/** Managers that get a copy of the log before they vote, or while they learn of their removal. */
export const RAFT_LEARNERS_MAX = MANAGERS_MAX
/** A manager that joins is made a voter when it lacks at most this many entries. */
export const LEARNER_GAP_MAX = 64
/** Votes of a proposal; whoever is silent for this long has no vote. */
export const VOTE_DEADLINE_MS = 2_000
/** Rounds of voting on one proposal that other changes have overtaken. */
export const VOTE_ROUNDS_MAX = 8
/** What a manager passes on to the leader is given up after this. */
export const RELAY_DEADLINE_MS = 4_000
/** A change whose leader lost its place is called undecided after this: two elections and more. */
export const UNDECIDED_AFTER_MS = 5_000
/** A question the leader does not answer by then is answered by the manager that was asked. */
export const ADMIN_QUESTION_MS = 2_000
/** A leader that stops waits this long for its successor; an election does it otherwise. */
export const HAND_OVER_MS = 500
/** Volumes of which one command makes snapshots of one point in time: all are sealed at once. */
export const SNAPSHOT_VOLUMES_MAX = 64
/** Writes wait at most this long for a snapshot: then it is given up, and they go on. */
export const SEAL_LIMIT_MS = 3_000
/** A snapshot by schedule that could not be made is tried again: long after a failover. */
export const SCHEDULE_RETRY_MS = 30_000
/** A shard may get another primary in between, and another one. */
export const SNAPSHOT_ATTEMPTS_MAX = 5
/** An operator's change waits this long for a leader: an election, and a second one. */
export const ADMIN_PATIENCE_MS = 4_000
/** The leader carries it out within this: several rounds of votes. */
export const ADMIN_LEADER_MS = 10_000
/** A join: copying the history (again, if it takes longer), then the vote of the others. */
export const JOIN_COPY_MS = 3_000
export const JOIN_DEADLINE_MS = 12_000
/** How often a manager that wants to join asks. */
export const JOIN_RETRY_MS = 500

// ---- moving copies ----------------------------------------------------------------------------

/** A server that is down for longer than this is replaced: a reboot or an update takes less. */
export const REBUILD_AFTER_MS = 10 * 60 * 1000
/**
 * Copies that are being made at the same time in the cluster, and on one server: a disk and a link
 * have to carry the I/O of clients beside them, and a few are enough to keep one busy.
 */
export const MOVES_AT_ONCE = 4
export const MOVES_PER_TARGET = 2
/** Moves that were refused are planned again after this: long enough for a full disk to be seen. */
export const MOVES_RETRY_MS = 5_000
/** How often what is left is looked at, and how many looks give the rate: those of a minute. */
export const PROGRESS_SAMPLE_MS = 1_000
export const PROGRESS_SAMPLES = 60
/** The time that is left is said from here on: with fewer reports it would be a guess. */
export const PROGRESS_SURE_AFTER_MS = 5_000

// ---- leases ------------------------------------------------------------------------------------

/** For how long a storage server may serve reads after the heartbeat that earned it the lease. */
export const LEASE_MS = 3_000
/** The leader waits this much longer than the lease: clocks differ, and a busy host is slow. */
export const LEASE_MARGIN_MS = 300
/** A server that could not be declared down is looked at again after this. */
export const DOWN_RETRY_MS = 1_000
/** Six heartbeats in a lease: several may be lost, and the leader may change meanwhile. */
export const HEARTBEAT_INTERVAL_MS = 500
/** A heartbeat unanswered for this long goes to another manager. */
export const HEARTBEAT_DEADLINE_MS = 800
/** After a second heartbeat in vain: elections take longer than this, and all servers ask. */
export const HEARTBEAT_RETRY_MS = 200
/** A server that is being stopped waits this long for the others to go on without it. */
export const LEAVE_DEADLINE_MS = 1_500
/**
 * Whoever saw the process of a storage server end says so for as long as its lease may run: then
 * the managers know by themselves. One that is silent is passed over, as by a heartbeat.
 */
export const GONE_DEADLINE_MS = LEASE_MS + LEASE_MARGIN_MS
export const GONE_ATTEMPT_MS = 800
export const GONE_RETRY_MS = 50
/** A manager that left a request unanswered is not chosen for so long, whoever calls it leader. */
export const MANAGER_DOUBTED_MS = 3_000

/** A client that is attached to a volume says this often that it lives. */
export const CLIENT_HEARTBEAT_MS = 1_000
/**
 * Others may have the place of a client that was silent for this long: above any stall of a host
 * that comes back, short enough for a virtual machine to be started elsewhere by a script.
 */
export const CLIENT_LEASE_MS = 30_000
/** The same on its own host, once its link is gone: three heartbeats, which it would have sent. */
export const CLIENT_GONE_MS = 3_000
/** An attach waits for that: the link of a killed process may take LINK_SILENCE_MS to be gone. */
export const ATTACH_WAIT_MS = 8_000
export const ATTACH_LOOK_MS = 100
/** A volume that is to be deleted may have been closed just now: giving it back takes less. */
export const GIVING_BACK_MS = 1_000
/** The leader answers an attach within this: the wait, and a change. */
export const ATTACH_LEADER_MS = ATTACH_WAIT_MS + 4_000

// ---- a server's own disk and its block store --------------------------------------------------

/** Files kept open at once: below the 1024 descriptors of a plain shell, with room for sockets. */
export const OPEN_FILES_MAX = 512
/**
 * Up to here a write into the page cache (7 µs for 4 KiB, 40 µs for this) beats a thread's hand-
 * over.
 */
export const SYNCHRONOUS_WRITE_BYTES = 128 * KiB
/** The same of reads, as long as they find what they want in the page cache. */
export const PROMPT_READ_BYTES = 128 * KiB
/** Above what the page cache takes for that (10 µs), below what any device takes. */
export const PROMPT_READ_MS = 0.05
/** A single read that took longer than this says no more than one that took just this. */
export const PROMPT_READ_WORST_MS = 0.4
/** A single one that took longer says that the device is in trouble; no hiccup lasts so long. */
export const PROMPT_READ_STALL_MS = 100
/**
 * Reads that go to the pool before one is tried on the main thread again: where one in 256 waits
 * for a disk of 10 ms, that is a hundredth of what the others waited together. It doubles as long
 * as the tries are slow.
 */
export const PROMPT_READ_PROBE_MIN = 256
export const PROMPT_READ_PROBE_MAX = 65_536
/** A metadata file is read whole: room for the largest configuration and its history. */
export const DURABLE_FILE_BYTES_MAX = 256 * MiB
/** Index pages in memory, 4 KiB each: 64 MiB, which describe 32 GiB of blocks. */
export const INDEX_CACHE_PAGES = 16 * 1024
/** Dirty regions at which the store flushes by itself: recovery reads at most about twice 8 GiB. */
export const DIRTY_REGIONS_CHECKPOINT = 4096
/** From here on new writes to a shard wait while it is being flushed. */
export const DIRTY_REGIONS_MAX = 2 * DIRTY_REGIONS_CHECKPOINT
/**
 * Clean regions stay in the log while there are no more than these: 2 GiB, which recovery reads for
 * nothing, within a minute from a slow disk, and 8 MiB of memory.
 */
export const DIRTY_REGIONS_KEPT = DIRTY_REGIONS_CHECKPOINT / 4
/** One that nobody has written for this long leaves, or twice this: writers come back sooner. */
export const DIRTY_REGIONS_KEPT_MS = 5_000
/** A sequential writer has this many regions logged in one sync: 16 MiB, then the sync is noise. */
export const LOG_AHEAD_REGIONS = 8
/** The dirty-region log is rewritten above this size, if half of it is no longer needed. */
export const DIRTY_LOG_BYTES = 16 * MiB
/** Shards recovered at the same time after an unclean stop: keeps a disk busy, memory small. */
export const RECOVERY_PARALLEL = 4
/**
 * Blocks next to each other that hold nothing any more are given back from here on (64 KiB): each
 * hole takes a process of its own, and file systems keep a list of them.
 */
export const PUNCH_LEAST_BLOCKS = 16
/** Shards of a server that give space back at the same time: nobody waits for it. */
export const PUNCHES_AT_ONCE = 1
/** Shards whose layers a server merges at the same time: nobody waits for it, clients do for it. */
export const MERGES_AT_ONCE = 2
/** All merges of a server together: a fourth of what a disk can do, clients have the rest. */
export const MERGE_BYTES_PER_SECOND = 25 * MiB
/** Copied in one turn, for which clients wait that want the same blocks: 256 KiB, a millisecond. */
export const MERGE_PIECE_BLOCKS = 64
/** Index pages copied side by side where that shares syncs of the dirty-region log. */
export const MERGE_PAGES_AT_ONCE = 16
/** Blocks that may be left when all calls of a shard wait for the end of a merge: 1 MiB. */
export const MERGE_REST_BLOCKS = 256
/** A writer that stays ahead for so many rounds is left alone: merged the other way round. */
export const MERGE_ROUNDS_MAX = 8
/** A merge that failed, on a full disk above all, is tried again after this. */
export const MERGE_RETRY_MS = 60_000

// ---- client ----------------------------------------------------------------------------------

/** Outstanding at once per volume, for reads and for writes each: several loop devices' depth. */
export const CLIENT_WINDOW_REQUESTS = 256
/** Enough for 1 MiB requests at depth 16, the most a loop device or fio usually keeps going. */
export const CLIENT_WINDOW_BYTES = 16 * MiB
/** What a write-back cache may hold of a volume; whoever writes more waits for room. */
export const WRITE_BACK_BYTES = 32 * MiB
/** So long a write stays in it that nobody asks to be durable; a Linux host flushes after 5 s. */
export const WRITE_BACK_AGE_MS = 500
/** Writes under way from it: enough for every server to have several at a time. */
export const WRITE_BACK_RUNS_MAX = 64
/** Acknowledged writes kept per volume until a FLUSH covers them; flushed from half of it on. */
export const KEPT_WRITES_BYTES = 64 * MiB
/**
 * After so many FLUSHes of a volume in a row that each followed a single write, the next write asks
 * to be durable itself. Where that goes on and off, one write in five waits for a disk in vain.
 */
export const FLUSHES_FORESEEN_AFTER = 4
/** So that one-byte writes do not make the list longer than their bytes suggest. */
export const KEPT_WRITES_MAX = 64 * KiB
/** Replays of one shard in flight: as fast as a deep queue, small beside the window. */
export const REPLAYS_IN_FLIGHT = 32
/** Numbers of one client that a server may have to remember for one shard (once table). */
export const ONCE_NUMBERS_MAX = 4096
/** Content of one record of an exported snapshot: written at once by whoever imports it. */
export const EXPORT_RECORD_BYTES_MAX = REQUEST_BYTES_MAX
/** Read or written at once by exports and imports: long enough for disks, short for others. */
export const TRANSFER_PIECE_BYTES = 256 * KiB
/** Such pieces under way at once: 8 MiB, half of a client's window. */
export const TRANSFER_PIECES_AT_ONCE = 32
/** An export or import whose I/O is held longer than this ends, unless asked otherwise. */
export const TRANSFER_IO_TIMEOUT_MS = 60_000
/** What `bench` measures of each job by default: seconds in which caches and compilers settle... */
export const BENCH_SECONDS = 3
/** ...and at most: whoever wants more wants a load for days, which fio makes. */
export const BENCH_SECONDS_MAX = 3_600
/** Each job runs for so long before it counts: links are opened, and V8 compiles the path. */
export const BENCH_WARM_UP_MS = 500
/** Requests under way: more would wait in the client, whose window is measured then. */
export const BENCH_DEPTH_MAX = CLIENT_WINDOW_REQUESTS
/** What it writes again and again, in memory; above a snapshot it takes that much of each copy. */
export const BENCH_CONTENT_BYTES = 32 * MiB
/** Places that it knows to hold data: 1 GiB of single blocks, 2 MiB of memory for their numbers. */
export const BENCH_UNITS_MAX = 262_144
/** Data that it looks for: more than that, and the places would not become more of a mixture. */
export const BENCH_LOOK_BYTES = 4 * 1024 * MiB
/** It looks in parts of a volume, in random order, until so many have given their share... */
export const BENCH_LOOK_PARTS = 64
/** ...and a volume has so many, so that one with little data is looked through in a few seconds. */
export const BENCH_PARTS_MAX = 256
/** After a signal, what is under way may end for so long, and is counted. */
export const BENCH_STOP_MS = 2_000
/** How often it tells how far it is, and what it waits for. */
export const BENCH_TELL_MS = 250
/** Where there is no bar, a line is for what takes longer than a failover. */
export const BENCH_SAY_HELD_MS = 5_000
/** Shards asked at once for changed blocks: keeps all servers of a rack busy. */
export const HELD_QUESTIONS_AT_ONCE = 32
/** Retries that no event has woken earlier: from a network round trip to a few a minute... */
export const RETRY_MIN_MS = 20
/** ...up to this, which bounds how late a missed event is noticed. */
export const RETRY_MAX_MS = 2_000
/** A read unanswered for this long is tried at another replica: above a busy disk's worst. */
export const READ_DEADLINE_MS = 2_000
/** And this long where all replicas have been tried. */
export const READ_DEADLINE_MAX_MS = 30_000
/**
 * A read that takes far longer than usual is also asked of another replica (see hedge-state.ts):
 * not below this, which a seek of a disk and a short queue may take, and any hiccup of a host...
 */
export const HEDGE_DELAY_MIN_MS = 50
/** ...and not later than this, so that with the other's time it stays below a second. */
export const HEDGE_DELAY_MAX_MS = 500
/** Hedges that each read earns: where all are slow, they add a sixteenth and no more to it. */
export const HEDGE_SHARE = 1 / 16
/** Waiting is called held after this; below it is a hiccup that nobody needs to read about. */
export const HELD_AFTER_MS = 1_000
/** How often a client looks whether something is held. */
export const HELD_CHECK_INTERVAL_MS = 1_000
/** How often a client reports to the managers even if nothing has changed. */
export const CLIENT_REPORT_INTERVAL_MS = 5_000
/** A clean close tries to FLUSH for this long; what is unflushed then is as after a power cut. */
export const CLOSE_FLUSH_MS = 5_000
/** Servers that have not said by then what a volume takes are named; half of what an answer has. */
export const USAGE_DEADLINE_MS = 2_500
/** A manager that has not answered a question by then is passed over for the next one. */
export const ADMIN_ATTEMPT_MS = 5_000
/** Shards of a volume that a scrub looks at at once, a page each: keeps several disks busy. */
export const SCRUB_SHARDS_AT_ONCE = 4
/**
 * A server that reads a part of a page, repairs it, or compares it, has answered before this,
 * unless a disk hangs. The first answer that is lost is asked for once more.
 */
export const SCRUB_REQUEST_MS = 30_000
/** A server that cannot be asked for so long is left out; a change of allocation takes less. */
export const SCRUB_PATIENCE_MS = 15_000
/** One that says for so long that it has no time is left out, too. */
export const SCRUB_BUSY_MAX_MS = 600_000
export const SCRUB_RETRY_MIN_MS = 50
export const SCRUB_RETRY_MAX_MS = 1_000
/** Index pages that differ are looked at again so often: most differ by writes under way... */
export const SCRUB_LOOKS_MAX = 3
/** ...after this, twice this, and so on. */
export const SCRUB_LOOK_AGAIN_MS = 50
/** What differs still is compared while nobody writes it, in so many attempts, each of seconds. */
export const SCRUB_ATTEMPTS_MAX = 5
/** Entries of each list in the answer of a scrub; of the others it says how many there are. */
export const SCRUB_LISTED_MAX = 1_000
/** Before it gets a change, a manager shows within this that it lives: it answers from memory. */
export const MANAGER_ALIVE_MS = 1_000
/** A command that found no leader is tried again after this: an election takes a second or two. */
export const ADMIN_RETRY_MS = 200
/**
 * But not with less time than this: a manager waits for a leader before it says that there is none,
 * and a change whose answer does not come in time is one that may have been done.
 */
export const ADMIN_LAST_TRY_MS = ADMIN_PATIENCE_MS + 1_000

/** An attach that no manager answers by then is asked of another one. */
export const ATTACH_DEADLINE_MS = ADMIN_PATIENCE_MS + ATTACH_LEADER_MS + 1_000
/** Where nobody could decide it: an election takes a second or two. */
export const ATTACH_RETRY_MS = 200
/** A detach that no manager has answered by then is left to the lease. */
export const DETACH_DEADLINE_MS = 5_000

// ---- storage: replication --------------------------------------------------------------------

/** Clients whose recent writes one shard remembers: every client of a busy shared volume. */
export const ONCE_CLIENTS_MAX = 1024
/** Settled ranges are sent again in parts like a client's largest write. */
export const SETTLE_PART_BLOCKS = REQUEST_BYTES_MAX / BLOCK_BYTES
/** Writes sent to a syncing replica and not acknowledged: 256 KiB at 4 KiB each, 64 MiB at most. */
export const SYNC_WINDOW = 64
/**
 * Committed writes of one shard kept for a syncing replica whose link breaks; beyond, it compares.
 */
export const SYNC_BACKLOG_BYTES = 4 * MiB
/** A store that fails is tried again after this... */
export const STORE_RETRY_MIN_MS = 100
/** ...and at last this often, so that space made by somebody is found soon. */
export const STORE_RETRY_MAX_MS = 5_000
/** Client requests that wait in one shard for a commit, for settling or for enough replicas. */
export const PARKED_PER_SHARD_MAX = 1024
/** Long enough for settling; short enough for the client to try another replica, or to refresh. */
export const PARK_MS = 3_000
/** Requests of a newer epoch that wait at one server for its configuration. */
export const PARKED_FOR_EPOCH_MAX = 4096
/**
 * Questions between storage servers; the pause before one is asked again doubles up to the second.
 */
export const REPLICA_REQUEST_MS = 10_000
export const REPLICA_RETRY_MIN_MS = 50
export const REPLICA_RETRY_MAX_MS = 1_000
/**
 * A replica without a lease asks the others whether its allocation still stands. A client waits for
 * it; a replica that is silent for this long is taken for one that has left.
 */
export const STILL_CURRENT_MS = 1_000
/** Page summaries asked for at once: 512 pages are 1 GiB of a shard. */
export const SUMMARY_PAGES = 512
/** Blocks fetched in one request: 256 KiB, a bite that delays no client for long. */
export const FETCH_BLOCKS_MAX = 64
/** Index pages compared at the same time in one shard, and in one server. */
export const FETCH_PAGES_AT_ONCE = 2
export const CATCH_UPS_AT_ONCE = 4
/**
 * What a server spends on copies for catching up, in and out, each second, unless its operator says
 * otherwise: most of what a disk or a gigabit link can do. At least four bites, so that the quarter
 * beside clients is one.
 */
export const RECOVERY_BYTES_PER_SECOND = 100 * MiB
export const RECOVERY_BYTES_MIN = 1 * MiB
/**
 * While clients want something of it, and for a while after, a quarter of that, and of its time: on
 * the average so many copies are on their way to it at once.
 */
export const RECOVERY_PART_BESIDE_CLIENTS = 1 / 4
/**
 * However long copies take, one begins each second: whatever clients do, catching up has an end.
 */
export const RECOVERY_APART_MAX_MS = 1_000
/** Who asks for a copy gives up after REPLICA_REQUEST_MS: it is told before that to ask again. */
export const RECOVERY_GIVE_MAX_MS = REPLICA_REQUEST_MS / 2
/** Longer than a request takes where everything is slow. */
export const CLIENTS_ARE_QUIET_AFTER_MS = 5_000
/**
 * A primary goes on without a replica that keeps its shard waiting: one that says that it cannot
 * store what it is sent; one that lives (a dead one is declared down before that, when its lease is
 * over) and to which no path comes back; one whose disk takes longer than disks do.
 */
export const PATIENCE_FAILING_MS = 1_000
export const PATIENCE_UNREACHABLE_MS = LEASE_MS + LEASE_MARGIN_MS + DOWN_RETRY_MS
export const PATIENCE_STUCK_MS = 20_000
/** How often it looks, while it waits. */
export const PATIENCE_INTERVAL_MS = 1_000
/** Managers that refused to go on without replicas are not asked again before this. */
export const SUSPEND_AGAIN_MS = 2_000
/**
 * A storage server whose disk has refused a configuration this often in a row asks for no lease any
 * more, so that the others go on without it: less than a second, and no single error.
 */
export const ADOPTION_FAILURES_MAX = 3
/**
 * The same for one whose disk hangs while that is written: it can vote on nothing, so a lease would
 * keep the others waiting for as long as the disk does. Two small syncs, on a disk that is busy.
 */
export const ADOPTION_STUCK_MS = 10_000
/** A syncing replica that has caught up says so until a configuration makes it in-sync. */
export const CAUGHT_UP_INTERVAL_MS = 2_000
/**
 * Index pages that one question about changed blocks reads: what a disk does well within
 * HEDGE_DELAY_MAX_MS. The client asks on from where the answer ends.
 */
export const HELD_PAGES_MAX = 512
/** Reads of one request repair blocks at most this often before they give up. */
export const REPAIRS_PER_READ_MAX = 2
/** Blocks that a scrub reads at once: writes to its page wait no longer than for this. */
export const SCRUB_PIECE_BLOCKS = FETCH_BLOCKS_MAX
/**
 * One answer reads blocks for no longer than this, and then says how far it has come: 2 MiB at the
 * smallest budget beside clients take eight seconds, and those of several shards a multiple.
 */
export const SCRUB_READ_MS = 5_000
/**
 * Blocks of a page that the disk refuses to read: it may take many seconds for each, and with so
 * many within 2 MiB it is to be replaced, not looked through.
 */
export const SCRUB_UNREADABLE_MAX = 8
/** A server from which a replica copied within this has no time for scrubs. */
export const SCRUB_AFTER_COPY_MS = 1_000
/** Index pages that one question of a scrub reads to find one with an entry. */
export const SCRUB_SCAN_PAGES = HELD_PAGES_MAX
/** Pages that it passes over because they are known to have none: milliseconds of work. */
export const SCRUB_SKIP_PAGES = 16 * SCRUB_SCAN_PAGES
/** Rotten blocks of a page that are repaired at the same time... */
export const SCRUB_REPAIRS_AT_ONCE = 8
/** ...and waited for so long; what is left then is repaired when the page is asked for again. */
export const SCRUB_REPAIR_MS = 10_000
/** Questions of scrubs that a server answers at once: those of four scrubs of a large volume. */
export const SCRUBS_SERVED_MAX = 16
/** Corrupt blocks told apart in the report; a disk with more is to be replaced anyway. */
export const CORRUPT_BLOCKS_REMEMBERED = 100_000
/** Free space that no client write may use: indexes, metadata and what is under way need room. */
export const FREE_SPACE_RESERVE_BYTES = 256 * MiB
/** Merges may use a part of it, since they give space back; the rest is for the indexes. */
export const MERGE_RESERVE_BYTES = FREE_SPACE_RESERVE_BYTES / 2
/** Registration is repeated until a manager answers. */
export const REGISTER_DEADLINE_MS = 3_000
export const REGISTER_RETRY_MS = 1_000
/** Managers push what they decide within milliseconds of the heartbeat that they refuse. */
export const REGISTER_AGAIN_MS = 300
/** How often a storage server tells what it uses, and looks at its free space. */
export const STORAGE_REPORT_INTERVAL_MS = 1_000
/** The same mismatch of epochs is reported to managers this often at most. */
export const MISMATCH_INTERVAL_MS = 100
/** Shards opened at the same time when a configuration comes. */
export const SHARDS_OPENED_AT_ONCE = 16

// ---- links and peers -------------------------------------------------------------------------
/** Answers and notices that wait for a slow peer: one window of each of several clients. */
export const LINK_OUTBOX_BYTES_MAX = 256 * MiB
/**
 * Requests that wait for a slow peer; their payloads belong to windows that are bounded elsewhere.
 */
export const LINK_REQUESTS_WAITING_MAX = 65_536
/**
 * A patient notification goes with the next frame to its peer, or alone after this. Under load a
 * frame comes sooner, so that alone it costs its receiver no wake-up; and what it tells is not
 * needed sooner: who has just written reads at the primary meanwhile.
 */
export const NOTICE_PATIENCE_MS = 5
/** As long as a client reads at the primary where it wrote: the notice is there by then. */
export const JUST_WRITTEN_MS = 2 * NOTICE_PATIENCE_MS
/** Data waits this long for the first attempt at a direct link; a TCP dial in a rack takes 1 ms. */
export const DATA_PATH_WAIT_MS = 300
/** Attempts at a direct link that keep failing become this rare. */
export const REDIAL_INTERVAL_MAX_MS = 10_000
/** Two links opened by both sides within this time are one double dial, not a reconnection. */
export const LINK_YOUNG_MS = 2_000
/** Links of one kind to one peer: a double dial, and a dead one that was not noticed yet. */
export const LINKS_OF_A_KIND_MAX = 4
/** Admitted peers at a time: all servers, and as many clients. */
export const PEERS_MAX = 2 * SERVERS_MAX
/** Complaints about peers that are logged once; beyond this, some are logged again. */
export const COMPLAINTS_MAX = 4_096

assert(RAFT_HEARTBEAT_MS * 4 < ELECTION_TIMEOUT_MIN_MS, 'lost heartbeats start no election')
assert(HEARTBEAT_INTERVAL_MS + HEARTBEAT_DEADLINE_MS < LEASE_MS, 'a lost heartbeat ends no lease')
assert(SPREAD_SHARDS_MAX >= SHARDS_MIN, 'a small volume has as many shards as it must')
assert(
  VOLUMES_MAX * SPREAD_SHARDS_MAX * (3 + REPLICAS_ON_THE_WAY) <= COPIES_IN_CLUSTER_MAX,
  'there is room for as many volumes as there may be, with three replicas each',
)
assert(BLOCKS_PER_EXTENT % BLOCKS_PER_INDEX_PAGE === 0, 'an extent has whole index pages')
assert(REQUEST_BYTES_MAX + 64 * KiB <= FRAME_BYTES_MAX, 'a full request fits a frame')
assert(REQUEST_BYTES_MAX <= EXTENT_BYTES, 'a request spans at most two extents')
assert(BLOCKS_PER_INDEX_PAGE % MERGE_PIECE_BLOCKS === 0, 'a page is merged in equal pieces')
assert(LINK_SILENCE_MS >= 3 * PING_INTERVAL_MS, 'one lost ping does not kill a link')
assert(LINK_OUTBOX_BYTES_MAX >= 4 * FRAME_BYTES_MAX, 'control messages fit beside data')
assert(SUMMARY_PAGES <= PAGES_COMPARED_MAX, 'summaries asked for fit an answer')
assert(FUSE_REQUEST_BYTES <= REQUEST_BYTES_MAX, 'a FUSE request is one driver request')
assert(FUSE_BACKGROUND_MAX * FUSE_FRAME_BYTES <= FUSE_HELD_BYTES_MAX, 'the kernel is never stopped')
assert(POOL_THREADS_SPARED < POOL_THREADS_DEFAULT, 'there is a thread to read with')
assert(REQUEST_BYTES_MAX <= CLIENT_WINDOW_BYTES, 'every request fits the window')
assert(REQUEST_BYTES_MAX <= BENCH_CONTENT_BYTES, 'a benchmark has something to write')
assert(HEDGE_DELAY_MAX_MS < READ_DEADLINE_MS, 'a read is hedged before it is given up')
assert(WRITE_BACK_RUNS_MAX <= CLIENT_WINDOW_REQUESTS, 'the cache does not wait for the window')
assert(2 * REQUEST_BYTES_MAX <= WRITE_BACK_BYTES, 'every write fits the cache')
assert(2 * CLIENT_WINDOW_BYTES <= KEPT_WRITES_BYTES, 'half of what is kept has been acknowledged')
assert(2 * CLIENT_WINDOW_REQUESTS <= KEPT_WRITES_MAX, 'also when counted by writes')
assert(DATA_PATH_WAIT_MS < LINK_YOUNG_MS, 'a double dial is decided while both are young')
assert(
  PARK_MS + SCRUB_READ_MS + RECOVERY_GIVE_MAX_MS + SCRUB_REPAIR_MS < SCRUB_REQUEST_MS,
  'a server that waits for a configuration, reads and repairs has answered before it is given up',
)
assert(
  3 * PARK_MS + REPLICA_REQUEST_MS < SCRUB_REQUEST_MS,
  'and so has one that waits until nobody writes, then for its disk, then for another server',
)
