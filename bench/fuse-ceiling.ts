// What the FUSE transports allow at best: fio on a mount that does nothing. Prints a table of both,
// measured in one run, so that each is a ratio to the other whatever else the machine does.
//
//   npm run bench:fuse -- [--seconds 5] [--on image|loop]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.js'
import { silentLog } from '../src/base/log.js'
import { mountHost } from '../src/cli/mount-host.js'
import { renderTable } from '../src/cli/render/table.js'
import { JOBS, measure, type Measurement } from './jobs.js'
import { machine } from './machine.js'

const CHILD = fileURLToPath(new URL('fuse-ceiling-child.ts', import.meta.url))
const SIZE = 2 ** 30
const TRANSPORTS = ['kernel', 'fuse-native'] as const

interface Row {
  readonly job: string
  readonly results: readonly Measurement[]
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    on: { type: 'string', default: 'image' },
  },
})
const jobs = JOBS.filter(job => job.fsyncEvery === 0)
const { loops } = mountHost({ clock: systemClock, log: silentLog })

async function measureAll(transport: (typeof TRANSPORTS)[number]): Promise<Measurement[]> {
  const directory = await mkdtemp(join(tmpdir(), 'swarmdisk-ceiling-'))
  const child = fork(CHILD, [directory, transport, String(SIZE)], {
    execArgv: ['--import', 'tsx'],
  })
  await once(child, 'message')
  const image = join(directory, 'empty.img')
  const device = values.on === 'loop' ? await loops.attach(image, { readOnly: false }) : null
  const results: Measurement[] = []
  try {
    for (const job of jobs) {
      const file = device?.device ?? image
      results.push(await measure({ file, size: SIZE }, job, Number(values.seconds)))
    }
  } finally {
    if (device) await loops.detach(device.device, { abort: true })
    child.send('unmount')
    const [seconds] = (await once(child, 'message')) as [number]
    process.stderr.write(`${transport}: ${seconds.toFixed(1)} s of CPU\n`)
    await once(child, 'exit')
    await rm(directory, { recursive: true })
  }
  return results
}

const byTransport: Measurement[][] = []
for (const transport of TRANSPORTS) byTransport.push(await measureAll(transport))
const rows: readonly Row[] = jobs.map((job, i) => ({
  job: job.name,
  results: byTransport.flatMap(results => results.slice(i, i + 1)),
}))
const rate = (row: Row, i: number): number => row.results[i]?.iops ?? 0
const shown = (value: number): string => Math.round(value).toLocaleString('en')
const table = renderTable(rows, [
  { title: 'JOB', cell: row => row.job },
  { title: 'KERNEL', align: 'right', cell: row => shown(rate(row, 0)) },
  { title: 'FUSE-NATIVE', align: 'right', cell: row => shown(rate(row, 1)) },
  { title: 'RATIO', align: 'right', cell: row => (rate(row, 0) / rate(row, 1)).toFixed(1) },
])
process.stdout.write(`${table}\n\nrequests a second, on ${values.on}; ${machine()}\n`)
