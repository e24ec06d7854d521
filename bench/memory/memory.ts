// `npm run bench:memory`: whether the memory of a mount and its servers stays as it is under load.
// Small mixed I/O, 16 under way, and large reads and writes by turns; prints what each process had
// in memory minute by minute, whether that still grew in the last third, and the CPU time of all
// processes for 1 GiB written.
//
//   npm run bench:memory -- [--minutes 10] [--every 10] [--size 512] [--json FILE|-]
//                                            seconds of a turn and between samples; size in MiB
import { renderTable } from '../../src/cli/render/table.js'
import { TestCluster } from '../../test/e2e/cluster.js'
import { Fio } from '../shared/fio.js'
import { jsonPath, positive, readOptions, whole } from '../shared/options.js'
import { Report } from '../shared/report.js'
import { runBenchmark } from '../shared/session.js'
import { showWhole } from '../shared/statistics.js'
import { filledVolume, memoryOf, type Memory } from '../shared/volumes.js'
import { minuteRows, processesOf, verdicts, type MinuteRow, type Verdict } from './figures.js'
import { Sampler } from './sampler.js'
import { cpuPerGiB, takeTurns } from './turns.js'

function table(rows: readonly MinuteRow[], processes: readonly string[]): string {
  const show = (value: number | null | undefined): string =>
    value === null || value === undefined ? '-' : showWhole(value)
  return renderTable(rows, [
    { title: 'MINUTE', align: 'right', cell: row => String(row.minute) },
    ...processes.map(name => ({
      title: name === 'mount' ? 'MOUNT MIB' : `SERVER ${name} MIB`,
      align: 'right' as const,
      cell: (row: MinuteRow) => show(row.resident[name]),
    })),
    { title: '4 KIB MIXED IOPS', align: 'right', cell: row => show(row.mixedIops) },
    { title: '1 MIB READ MB/S', align: 'right', cell: row => show(row.readMegabytes) },
    { title: 'WRITE MB/S', align: 'right', cell: row => show(row.writeMegabytes) },
    { title: 'CPU S/GIB', align: 'right', cell: row => showSeconds(row.cpuPerGiB) },
  ])
}

function showSeconds(value: number | null): string {
  return value === null ? '-' : value.toFixed(1)
}

function say({ process, slope, error, flat }: Verdict): string {
  if (flat === null) return `${process}: too few samples to say whether it grows`
  const figure = `${slope.toFixed(1)} ± ${error.toFixed(1)} MiB a minute in the last third`
  return `${process}: ${figure}: ${flat ? 'flat' : 'it grows'}`
}

function sayPeaks({ mount, servers }: Memory): string {
  const peaks = Object.entries({ mount, ...servers }).map(
    ([name, { peak }]) => `${name} ${showWhole(peak)}`,
  )
  return `peaks in MiB: ${peaks.join(', ')}`
}

await runBenchmark(async session => {
  const { minutes, every, size, json } = readOptions(process.argv.slice(2), {
    minutes: positive(10),
    every: positive(10),
    size: whole(512, { from: 16, to: 2 ** 20 }),
    json: jsonPath(),
  })
  const report = new Report(json)
  const cluster = await TestCluster.start(session)
  await cluster.startMount()
  const fio = new Fio(session)
  const target = await filledVolume({ cluster, fio }, { name: 'memory', bytes: size * 2 ** 20 })
  const sampler = new Sampler(cluster, every)
  const { samples } = sampler
  try {
    const elapsed = (): number => sampler.elapsed()
    const turns = await takeTurns({ fio, cluster, target, seconds: every, elapsed }, minutes)
    const rows = minuteRows(samples, turns)
    const memory = memoryOf(cluster)
    const growth = verdicts(samples)
    const cpu = cpuPerGiB(turns)
    const lines = [
      `${table(rows, processesOf(samples))}\n`,
      ...growth.map(say),
      sayPeaks(memory),
      `CPU time of mount, servers and manager for 1 GiB written: ${showSeconds(cpu)} s`,
    ]
    const figures = { minutes, every, mebibytes: size, cpuSecondsPerGiB: cpu, growth, memory }
    report.give({ ...figures, rows, samples }, lines.join('\n'))
  } finally {
    sampler.stop()
  }
})
