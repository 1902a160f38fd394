import type { EndpointFacts, RingName } from './fleet.js';
import type { Check, Observations } from './observations.js';

type Judgement = Readonly<{ ok: boolean; detail: string }>;

/** The demo's claims; each is judged from observations alone. */
const CHECKS: Readonly<Record<string, (seen: Observations) => Judgement>> = {
  'patches-found': patchesFound,
  'patches-prioritized': patchesPrioritized,
  'approved-automatically-with-a-reason': approvedAutomatically,
  'approved-by-two-people': approvedByTwo,
  'self-approval-refused': selfApprovalRefused,
  'stranger-refused': strangerRefused,
  'upgraded-everywhere': upgradedEverywhere,
  'ring-by-ring': ringByRing,
  'one-transaction-per-lease': oneTransactionPerLease,
  'bad-patch-halted-in-the-pilot': badPatchHalted,
  'bad-patch-never-reached-the-broad-ring': broadUntouched,
  'touched-endpoints-restored': touchedRestored,
  'failure-ticket-raised': ticketRaised,
  'compliance-agrees-with-the-endpoints': complianceAgrees,
  'trail-from-feed-to-verified-install': trailComplete,
  'state-as-of-just-before-approval': stateBeforeApproval,
};

export function judge(seen: Observations): readonly Check[] {
  return Object.entries(CHECKS).map(([name, check]) => ({ name, ...check(seen) }));
}

function patchesFound({ upgrades, patches }: Observations): Judgement {
  const missing = upgrades.filter(
    (upgrade) =>
      !patches.some(
        (patch) =>
          patch.sourcePackage === upgrade.sourcePackage &&
          patch.sourceVersion === upgrade.sourceVersion &&
          patch.securityOrigin,
      ),
  );
  const found = upgrades.map((u) => `${u.sourcePackage} ${u.sourceVersion}`).join(', ');
  return missing.length === 0 && upgrades.length > 0
    ? { ok: true, detail: `${found}; ${String(cveCount(patches))} CVEs named in their changelogs` }
    : { ok: false, detail: `not found: ${missing.map((u) => u.sourcePackage).join(', ')}` };
}

function cveCount(patches: Observations['patches']): number {
  return new Set(patches.flatMap(({ cves }) => cves)).size;
}

function patchesPrioritized({ patches, decisions }: Observations): Judgement {
  const without = patches.filter(
    ({ patchId, securityOrigin }) =>
      !decisions.some(
        (d) => d.patchId === patchId && (d.rows.length > 0 || !securityOrigin) && d.category !== '',
      ),
  );
  const categories = [...new Set(decisions.map(({ category }) => category))].join(', ');
  const ok = patches.length > 0 && without.length === 0;
  return {
    ok,
    detail: ok
      ? `${String(decisions.length)} decisions: ${categories}`
      : `no decision with its rows for ${without.map((p) => p.sourcePackage).join(', ')}`,
  };
}

function approvedAutomatically({ badRequest }: Observations): Judgement {
  const { status, grantedBy, reason, approvedBy } = badRequest;
  return {
    ok: status === 'granted' && grantedBy === 'policy' && reason !== '' && approvedBy.length === 0,
    detail: `${status} by ${grantedBy ?? 'nobody'}: ${reason}`,
  };
}

function approvedByTwo({ securityRequest }: Observations): Judgement {
  const { status, requestedBy, approvedBy } = securityRequest;
  const distinct = new Set(approvedBy);
  return {
    ok: status === 'granted' && distinct.size === 2 && !distinct.has(requestedBy),
    detail: `${status}; asked by ${requestedBy}, approved by ${approvedBy.join(' and ')}`,
  };
}

function selfApprovalRefused({ selfApproval }: Observations): Judgement {
  if (selfApproval === null) return { ok: false, detail: 'the requester could approve' };
  const { status, code } = selfApproval;
  return {
    ok: status >= 400 && status < 500 && code === 'self-approval',
    detail: `${String(status)} ${code}`,
  };
}

function strangerRefused({ strangerStatus }: Observations): Judgement {
  return { ok: strangerStatus === 401, detail: `made-up credential: ${String(strangerStatus)}` };
}

function upgradedEverywhere({ upgrades, after }: Observations): Judgement {
  const behind = after.flatMap(({ endpoint, packages }) =>
    upgrades
      .filter((u) => packages[u.package]?.version !== u.to || packages[u.package]?.status !== 'ii')
      .map((u) => `${endpoint.name}: ${u.package} ${packages[u.package]?.version ?? 'absent'}`),
  );
  return behind.length === 0 && after.length > 0
    ? {
        ok: true,
        detail: `${String(upgrades.length)} packages on ${String(after.length)} endpoints`,
      }
    : { ok: false, detail: behind.join('; ') };
}

const RING_ORDER: readonly RingName[] = ['staging', 'pilot', 'broad'];

function securityRuns({ upgrades }: Observations, facts: EndpointFacts) {
  const names = new Set(upgrades.map((u) => u.package));
  return facts.history.filter((run) => run.packages.some((name) => names.has(name)));
}

function ringByRing(seen: Observations): Judgement {
  const spans = RING_ORDER.map((ring) => {
    const runs = seen.after
      .filter(({ endpoint }) => endpoint.ring === ring)
      .flatMap((facts) => securityRuns(seen, facts));
    return {
      ring,
      first: runs.map((run) => run.startedAt).toSorted()[0] ?? '',
      last:
        runs
          .map((run) => run.endedAt ?? '9999')
          .toSorted()
          .at(-1) ?? '',
    };
  });
  const empty = spans.find(({ first }) => first === '');
  if (empty !== undefined) return { ok: false, detail: `no apt run in ring ${empty.ring}` };
  const early = spans.find(
    ({ first }, index) => index > 0 && first < (spans[index - 1]?.last ?? ''),
  );
  return {
    ok: early === undefined,
    detail: spans.map(({ ring, first, last }) => `${ring} ${first}–${last}`).join(', '),
  };
}

function oneTransactionPerLease(seen: Observations): Judgement {
  const wrong = seen.after.filter((facts) => securityRuns(seen, facts).length !== 1);
  return {
    ok: wrong.length === 0 && seen.after.length > 0,
    detail:
      wrong.length === 0
        ? 'each history.log holds one run for the security change'
        : wrong
            .map((f) => `${f.endpoint.name}: ${String(securityRuns(seen, f).length)} runs`)
            .join('; '),
  };
}

function badRuns({ bad }: Observations, facts: EndpointFacts) {
  return facts.history.filter((run) => run.packages.includes(bad.package));
}

function badPatchHalted(seen: Observations): Judgement {
  const broken = seen.after.filter((facts) => badRuns(seen, facts).some((run) => run.failed));
  const elsewhere = broken.filter(({ endpoint }) => endpoint.hardwareModel !== seen.bad.failsOn);
  const halted = seen.badRolloutStatus === 'rolled-back' && !seen.badRingsOpened.includes('broad');
  return {
    ok: halted && broken.length > 0 && elsewhere.length === 0,
    detail: `rollout ${seen.badRolloutStatus}; failed on ${broken.map((f) => f.endpoint.name).join(', ') || 'no endpoint'}; rings opened: ${seen.badRingsOpened.join(', ')}`,
  };
}

function broadUntouched(seen: Observations): Judgement {
  const broad = seen.after.filter(({ endpoint }) => endpoint.ring === 'broad');
  const touched = broad.filter((facts) => badRuns(seen, facts).length > 0);
  return {
    ok: broad.length > 0 && touched.length === 0,
    detail:
      touched.length === 0
        ? `${String(broad.length)} endpoints whose history.log never names ${seen.bad.package}`
        : `touched: ${touched.map((f) => f.endpoint.name).join(', ')}`,
  };
}

function touchedRestored(seen: Observations): Judgement {
  const touched = seen.after.filter((facts) => badRuns(seen, facts).length > 0);
  const wrong = touched.filter(({ endpoint, packages }) => {
    const prior = seen.before.find((facts) => facts.endpoint.name === endpoint.name);
    const now = packages[seen.bad.package];
    return now?.version !== prior?.packages[seen.bad.package]?.version || now?.status !== 'ii';
  });
  return {
    ok: touched.length > 0 && wrong.length === 0,
    detail:
      wrong.length === 0
        ? `${String(touched.length)} endpoints back at ${seen.bad.package} ${seen.bad.from}`
        : `not restored: ${wrong.map((f) => f.endpoint.name).join(', ')}`,
  };
}

function ticketRaised({ tickets }: Observations): Judgement {
  const critical = tickets.find(({ severity }) => severity === 'critical');
  return { ok: critical !== undefined, detail: critical?.summary ?? 'no critical ticket' };
}

function complianceAgrees({
  complianceBefore,
  complianceAfter,
  upgrades,
  before,
  after,
}: Observations): Judgement {
  const installed = (facts: readonly EndpointFacts[]) =>
    facts.flatMap(({ packages }) => upgrades.filter((u) => packages[u.package]?.version === u.to))
      .length;
  const pairs = after.length * upgrades.length;
  const ok =
    complianceBefore.denominator === pairs &&
    complianceAfter.denominator === pairs &&
    complianceBefore.numerator === installed(before) &&
    complianceAfter.numerator === installed(after) &&
    complianceAfter.numerator > complianceBefore.numerator;
  const figure = (c: Observations['complianceBefore']) =>
    `${String(c.numerator)}/${String(c.denominator)}`;
  return {
    ok,
    detail: `product ${figure(complianceBefore)} → ${figure(complianceAfter)}; counted on the endpoints ${String(installed(before))} → ${String(installed(after))} of ${String(pairs)}`,
  };
}

const TRAIL_STEPS = [
  'PatchDiscovered',
  'PatchPrioritized',
  'ApprovalRequested',
  'DecisionRecorded',
  'ApprovalGranted',
  'RolloutCreated',
  'WaveOpened',
  'OutcomesRecorded',
  'RolloutClosed',
];

function trailComplete({ trail }: Observations): Judgement {
  let from = 0;
  for (const step of TRAIL_STEPS) {
    const at = trail.indexOf(step, from);
    if (at < 0)
      return {
        ok: false,
        detail: `no ${step} after ${trail.slice(0, from).at(-1) ?? 'the start'}`,
      };
    from = at + 1;
  }
  return { ok: true, detail: `${String(trail.length)} events: ${TRAIL_STEPS.join(' → ')}` };
}

function stateBeforeApproval({ justBefore }: Observations): Judgement {
  return {
    ok: justBefore.status === 'open' && justBefore.approvedBy.length === 0,
    detail: `${justBefore.status} with ${String(justBefore.approvedBy.length)} votes`,
  };
}
