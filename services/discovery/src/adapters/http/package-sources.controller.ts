import { Body, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import {
  Answers,
  Api,
  BodyLimit,
  Command,
  type CommandInput,
  For,
  Id,
  ListOf,
  notFound,
  paged,
  pageOf,
  PageQuery,
  Shows,
  ShowsList,
  snapshot,
  Text,
  Summary,
  UUID,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { v7 as uuidv7 } from 'uuid';
import type { Archive } from '../../application/archive.js';
import type { PackageSource } from '../../application/ports.js';
import { fetchSource } from '../../application/fetch-source.js';
import { admitSource, applyAnswer } from '../../application/sync-source.js';
import { findSource, listSources } from '../postgres/source-queries.js';
import { transactOn } from '../postgres/tx.js';
import { AdmittedSourceAnswer, PackageSourceAnswer, SyncAnswer } from './answers.js';
import { DISCOVERY_DB, originOf, runOnce } from './request-origin.js';

export const ARCHIVE = Symbol('ARCHIVE');

const KEYRING_CHARACTERS_MAX = 2_000_000;
const SYNC_TIMEOUT_MS = 300_000;

class AdmitSource {
  /** http, https or file. */
  @Text({ max: 1_000 }) uri!: string;
  @Text({ max: 100 }) suite!: string;
  @ListOf('text', { min: 1, max: 20 }) components!: string[];
  @ListOf('text', { min: 1, max: 20 }) architectures!: string[];
  /** OpenPGP public keys, armored or base64. */
  @Text({ max: KEYRING_CHARACTERS_MAX }) keyring!: string;
}

/** Without the keyring, which is long, and of which the fingerprints say enough. */
function publicPartOf(source: PackageSource) {
  const { sourceId, uri, suite, components, architectures, keyFingerprints, admittedAt } = source;
  return { sourceId, uri, suite, components, architectures, keyFingerprints, admittedAt };
}

/** Package archives, admitted once for the fleet. */
@Api('v1/package-sources')
export class PackageSourcesController {
  constructor(
    @Inject(DISCOVERY_DB) private readonly db: Database,
    @Inject(ARCHIVE) private readonly archive: Archive,
  ) {}

  @Summary('Admit an archive of packages with the keys that sign its index.')
  @Post()
  @For('platform-engineer')
  @BodyLimit(2 * KEYRING_CHARACTERS_MAX)
  @Answers(AdmittedSourceAnswer)
  admit(@Body() body: AdmitSource, @Command() command: CommandInput) {
    return runOnce(this.db, command, async (tx) => {
      const { uri, suite, components, architectures, keyring } = body;
      const place = { uri, suite, components, architectures };
      const asked = { ...place, keyring, sourceId: uuidv7(), at: command.context.at };
      return publicPartOf(await admitSource(tx, this.archive, asked));
    });
  }

  @Summary('Admitted package sources.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @ShowsList(PackageSourceAnswer)
  async list(@Query() query: PageQuery) {
    const page = pageOf(query, null, UUID);
    const rows = await listSources(this.db, page);
    const data = paged(rows, page, null, ({ sourceId }) => sourceId);
    return snapshot(data, { position: null, lagMs: 0 });
  }

  @Summary('A package source and what became of its last sync.')
  @Get(':id')
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(PackageSourceAnswer)
  async one(@Id() id: string) {
    const source = await findSource(this.db, id);
    if (source === null) throw notFound(`package source ${id}`);
    return snapshot(source, { position: null, lagMs: 0 });
  }

  /** Fetches the archive now. What it serves is taken into force as a whole, or not at all. */
  @Summary('Fetch the index of a source now instead of when it is due.')
  @Post(':id/syncs')
  @HttpCode(200)
  @For('platform-engineer')
  @Answers(SyncAnswer)
  async sync(@Id() id: string, @Command() command: CommandInput) {
    const ports = {
      transact: transactOn(this.db),
      archive: this.archive,
      origin: () => originOf(command),
      signal: AbortSignal.timeout(SYNC_TIMEOUT_MS),
    };
    const answer = await fetchSource(ports, id);
    if (answer === null) throw notFound(`package source ${id}`);
    return runOnce(this.db, command, (tx) => applyAnswer(tx, id, answer, command.context.at));
  }
}
