"""the first tables"""

import sqlalchemy as sa
from alembic import op
from core import database

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('audit',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', database.Instant(), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('action', sa.String(), nullable=False),
    sa.Column('detail', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit'))
    )
    op.create_table('decline',
    sa.Column('account_hash', sa.String(), nullable=False),
    sa.Column('since', database.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('account_hash', name=op.f('pk_decline'))
    )
    op.create_table('inbox',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('platform', sa.String(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('received_at', database.Instant(), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=True),
    sa.Column('body_hash', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('repeats', sa.Integer(), nullable=False),
    sa.Column('events', sa.Integer(), nullable=False),
    sa.Column('done_at', database.Instant(), nullable=True),
    sa.Column('error', sa.String(), nullable=True),
    sa.Column('error_hash', sa.String(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbox')),
    sa.UniqueConstraint('platform', 'key', name=op.f('uq_inbox_platform_key'))
    )
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.create_index('inbox_by_state', ['state', 'id'], unique=False)

    op.create_table('link_failure',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('platform', sa.String(), nullable=False),
    sa.Column('account_id', sa.String(), nullable=False),
    sa.Column('at', database.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link_failure'))
    )
    with op.batch_alter_table('link_failure', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_link_failure_at'), ['at'], unique=False)

    op.create_table('month',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('stage', sa.String(), nullable=False),
    sa.Column('subscribed_at', database.Instant(), nullable=True),
    sa.Column('review_at', database.Instant(), nullable=True),
    sa.Column('review_ends_at', database.Instant(), nullable=True),
    sa.Column('closed_at', database.Instant(), nullable=True),
    sa.Column('settled_at', database.Instant(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_month'))
    )
    op.create_table('payout_run',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('period', sa.Integer(), nullable=False),
    sa.Column('started_at', database.Instant(), nullable=False),
    sa.Column('finished_at', database.Instant(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payout_run')),
    sa.UniqueConstraint('period', name=op.f('uq_payout_run_period'))
    )
    op.create_table('person',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('created_at', database.Instant(), nullable=False),
    sa.Column('receives_since', database.Instant(), nullable=True),
    sa.Column('payable_since', database.Instant(), nullable=True),
    sa.Column('cap_per_flattr_micros', sa.BigInteger(), nullable=True),
    sa.Column('cap_per_creator_micros', sa.BigInteger(), nullable=True),
    sa.Column('bears_cost', sa.Boolean(), nullable=False),
    sa.Column('merged_into_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('cooling_until', database.Instant(), nullable=True),
    sa.Column('left_at', database.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['merged_into_id'], ['person.id'], name=op.f('fk_person_merged_into_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person'))
    )
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.create_index('person_left', ['left_at'], unique=False, sqlite_where=sa.text('left_at is not null'), postgresql_where=sa.text('left_at is not null'))

    op.create_table('posting',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', database.Instant(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('debit', sa.BigInteger(), nullable=False),
    sa.Column('credit', sa.BigInteger(), nullable=False),
    sa.Column('amount_micros', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('amount_micros > 0', name=op.f('ck_posting_posting_amount_positive')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_posting')),
    sa.UniqueConstraint('kind', 'source', name=op.f('uq_posting_kind_source'))
    )
    with op.batch_alter_table('posting', schema=None) as batch_op:
        batch_op.create_index('posting_by_credit', ['credit'], unique=False, sqlite_where=sa.text('credit % 8 <> 2'), postgresql_where=sa.text('credit % 8 <> 2'))
        batch_op.create_index('posting_by_debit', ['debit'], unique=False, sqlite_where=sa.text('debit % 8 <> 2'), postgresql_where=sa.text('debit % 8 <> 2'))

    op.create_table('room',
    sa.Column('platform', sa.String(), nullable=False),
    sa.Column('room_id', sa.String(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('emoji', sa.String(), nullable=True),
    sa.PrimaryKeyConstraint('platform', 'room_id', name=op.f('pk_room'))
    )
    op.create_table('sandbox_movement',
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(), nullable=False),
    sa.Column('outcome', sa.String(), nullable=False),
    sa.Column('at', database.Instant(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_sandbox_movement'))
    )
    op.create_table('setting',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('value', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_setting'))
    )
    op.create_table('share',
    sa.Column('flattr_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('statement_id', sa.BigInteger(), nullable=False),
    sa.Column('creator_id', sa.BigInteger(), nullable=False),
    sa.Column('micros', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('flattr_id', name=op.f('pk_share'))
    )
    with op.batch_alter_table('share', schema=None) as batch_op:
        batch_op.create_index('share_by_statement', ['statement_id'], unique=False)

    op.create_table('account',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('platform', sa.String(), nullable=False),
    sa.Column('account_id', sa.String(), nullable=False),
    sa.Column('person_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('handle', sa.String(), nullable=True),
    sa.Column('linked_at', database.Instant(), nullable=True),
    sa.Column('spoke_at', database.Instant(), nullable=True),
    sa.Column('needs_relink_at', database.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_account_person_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('platform', 'account_id', name=op.f('uq_account_platform_account_id'))
    )
    with op.batch_alter_table('account', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_account_person_id'), ['person_id'], unique=False)

    op.create_table('budget',
    sa.Column('person_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('from_month', sa.Integer(), nullable=False),
    sa.Column('amount_micros', sa.BigInteger(), nullable=False),
    sa.Column('set_at', database.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_budget_person_id_person')),
    sa.PrimaryKeyConstraint('person_id', 'from_month', name=op.f('pk_budget'))
    )
    op.create_table('card',
    sa.Column('person_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('brand', sa.String(), nullable=False),
    sa.Column('last4', sa.String(), nullable=False),
    sa.Column('reference', sa.String(), nullable=False),
    sa.Column('since', database.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_card_person_id_person')),
    sa.PrimaryKeyConstraint('person_id', name=op.f('pk_card'))
    )
    op.create_table('outbox',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('person_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('platform', sa.String(), nullable=True),
    sa.Column('account_id', sa.String(), nullable=True),
    sa.Column('text', sa.String(), nullable=True),
    sa.Column('buttons', sa.String(), nullable=True),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_at', database.Instant(), nullable=False),
    sa.Column('created_at', database.Instant(), nullable=False),
    sa.Column('first_at', database.Instant(), nullable=True),
    sa.Column('sent_to', sa.String(), nullable=True),
    sa.Column('parts_sent', sa.Integer(), nullable=False),
    sa.Column('sent_at', database.Instant(), nullable=True),
    sa.Column('error', sa.String(), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_outbox_person_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox')),
    sa.UniqueConstraint('kind', 'source', name=op.f('uq_outbox_kind_source'))
    )
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.create_index('outbox_by_state', ['state', 'next_at'], unique=False)

    op.create_table('pause',
    sa.Column('person_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('platform', sa.String(), nullable=False),
    sa.Column('since', database.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_pause_person_id_person')),
    sa.PrimaryKeyConstraint('person_id', 'platform', name=op.f('pk_pause'))
    )
    op.create_table('payout',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('run_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('creator_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('amount_micros', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('reference', sa.String(), nullable=True),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('asked_at', database.Instant(), nullable=False),
    sa.Column('answered_at', database.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['creator_id'], ['person.id'], name=op.f('fk_payout_creator_id_person')),
    sa.ForeignKeyConstraint(['run_id'], ['payout_run.id'], name=op.f('fk_payout_run_id_payout_run')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payout')),
    sa.UniqueConstraint('run_id', 'creator_id', name=op.f('uq_payout_run_id_creator_id'))
    )
    with op.batch_alter_table('payout', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payout_creator_id'), ['creator_id'], unique=False)

    op.create_table('skip',
    sa.Column('person_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('month', sa.Integer(), nullable=False),
    sa.Column('at', database.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_skip_person_id_person')),
    sa.PrimaryKeyConstraint('person_id', 'month', name=op.f('pk_skip'))
    )
    op.create_table('statement',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('patron_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('month', sa.Integer(), nullable=False),
    sa.Column('budget_micros', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('flattrs', sa.Integer(), nullable=False),
    sa.Column('charge_micros', sa.BigInteger(), nullable=False),
    sa.Column('cost_micros', sa.BigInteger(), nullable=False),
    sa.Column('fee_micros', sa.BigInteger(), nullable=False),
    sa.Column('share_micros', sa.BigInteger(), nullable=False),
    sa.Column('spare_micros', sa.BigInteger(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_attempt_at', database.Instant(), nullable=True),
    sa.Column('collected_at', database.Instant(), nullable=True),
    sa.Column('early', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['month'], ['month.id'], name=op.f('fk_statement_month_month')),
    sa.ForeignKeyConstraint(['patron_id'], ['person.id'], name=op.f('fk_statement_patron_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_statement')),
    sa.UniqueConstraint('month', 'patron_id', name=op.f('uq_statement_month_patron_id'))
    )
    with op.batch_alter_table('statement', schema=None) as batch_op:
        batch_op.create_index('statement_by_patron', ['patron_id'], unique=False)
        batch_op.create_index('statement_due', ['month', 'next_attempt_at', 'id'], unique=False, sqlite_where=sa.text("state = 'due'"), postgresql_where=sa.text("state = 'due'"))
        batch_op.create_index('statement_under_review', ['month', 'id'], unique=False, sqlite_where=sa.text("state = 'review'"), postgresql_where=sa.text("state = 'review'"))

    op.create_table('charge',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('statement_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('card_reference', sa.String(), nullable=True),
    sa.Column('reference', sa.String(), nullable=True),
    sa.Column('reason', sa.String(), nullable=True),
    sa.Column('asked_at', database.Instant(), nullable=False),
    sa.Column('answered_at', database.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['statement_id'], ['statement.id'], name=op.f('fk_charge_statement_id_statement')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_charge')),
    sa.UniqueConstraint('statement_id', 'attempt', name=op.f('uq_charge_statement_id_attempt'))
    )
    op.create_table('ignore',
    sa.Column('person_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('account_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('since', database.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_ignore_account_id_account')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_ignore_person_id_person')),
    sa.PrimaryKeyConstraint('person_id', 'account_id', name=op.f('pk_ignore'))
    )
    op.create_table('link_code',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('code_hash', sa.String(), nullable=False),
    sa.Column('issuer_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('offered_by_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('created_at', database.Instant(), nullable=False),
    sa.Column('expires_at', database.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['issuer_id'], ['account.id'], name=op.f('fk_link_code_issuer_id_account')),
    sa.ForeignKeyConstraint(['offered_by_id'], ['account.id'], name=op.f('fk_link_code_offered_by_id_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link_code')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_link_code_code_hash'))
    )
    with op.batch_alter_table('link_code', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_link_code_issuer_id'), ['issuer_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_link_code_offered_by_id'), ['offered_by_id'], unique=False)

    op.create_table('payable',
    sa.Column('month', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('creator_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_payable_account_id_account')),
    sa.ForeignKeyConstraint(['creator_id'], ['person.id'], name=op.f('fk_payable_creator_id_person')),
    sa.ForeignKeyConstraint(['month'], ['month.id'], name=op.f('fk_payable_month_month')),
    sa.PrimaryKeyConstraint('month', 'account_id', name=op.f('pk_payable'))
    )
    with op.batch_alter_table('payable', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payable_creator_id'), ['creator_id'], unique=False)

    op.create_table('subscription',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('person_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('account_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('started_at', database.Instant(), nullable=False),
    sa.Column('last_month', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_subscription_account_id_account')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_subscription_person_id_person')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_subscription')),
    sa.UniqueConstraint('person_id', 'account_id', name=op.f('uq_subscription_person_id_account_id'))
    )
    op.create_table('thing',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('url', sa.String(), nullable=False),
    sa.Column('title', sa.String(), nullable=True),
    sa.Column('author_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('gone_at', database.Instant(), nullable=True),
    sa.ForeignKeyConstraint(['author_id'], ['account.id'], name=op.f('fk_thing_author_id_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_thing'))
    )
    with op.batch_alter_table('thing', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_thing_url'), ['url'], unique=False)

    op.create_table('flattr',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('patron_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('thing_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('month', sa.Integer(), nullable=False),
    sa.Column('author_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('own', sa.Boolean(), server_default=sa.text('(false)'), nullable=False),
    sa.Column('standing', sa.Boolean(), nullable=False),
    sa.Column('struck_at', database.Instant(), nullable=True),
    sa.Column('origin', sa.String(), nullable=False),
    sa.Column('moved_to_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('voided', sa.String(), nullable=True),
    sa.Column('created_at', database.Instant(), nullable=False),
    sa.ForeignKeyConstraint(['author_id'], ['account.id'], name=op.f('fk_flattr_author_id_account')),
    sa.ForeignKeyConstraint(['moved_to_id'], ['flattr.id'], name=op.f('fk_flattr_moved_to_id_flattr')),
    sa.ForeignKeyConstraint(['patron_id'], ['person.id'], name=op.f('fk_flattr_patron_id_person')),
    sa.ForeignKeyConstraint(['thing_id'], ['thing.id'], name=op.f('fk_flattr_thing_id_thing')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_flattr')),
    sa.UniqueConstraint('month', 'patron_id', 'thing_id', name=op.f('uq_flattr_month_patron_id_thing_id'))
    )
    with op.batch_alter_table('flattr', schema=None) as batch_op:
        batch_op.create_index('flattr_by_author', ['author_id', 'month'], unique=False)

    op.create_table('thing_name',
    sa.Column('platform', sa.String(), nullable=False),
    sa.Column('native_id', sa.String(), nullable=False),
    sa.Column('thing_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.ForeignKeyConstraint(['thing_id'], ['thing.id'], name=op.f('fk_thing_name_thing_id_thing')),
    sa.PrimaryKeyConstraint('platform', 'native_id', name=op.f('pk_thing_name'))
    )
    with op.batch_alter_table('thing_name', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_thing_name_thing_id'), ['thing_id'], unique=False)

    op.create_table('likes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('account_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('fact', sa.String(), nullable=False),
    sa.Column('thing_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('reaction', sa.String(), nullable=False),
    sa.Column('liked_at', database.Instant(), nullable=True),
    sa.Column('began_position', sa.BigInteger(), nullable=True),
    sa.Column('latest_at', database.Instant(), nullable=True),
    sa.Column('liked_position', sa.BigInteger(), nullable=True),
    sa.Column('unliked_position', sa.BigInteger(), nullable=True),
    sa.Column('standing', sa.Boolean(), nullable=False),
    sa.Column('uncounted', sa.String(), nullable=True),
    sa.Column('timed', sa.Boolean(), nullable=False),
    sa.Column('doubtful', sa.Boolean(), nullable=False),
    sa.Column('flattr_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_likes_account_id_account')),
    sa.ForeignKeyConstraint(['flattr_id'], ['flattr.id'], name=op.f('fk_likes_flattr_id_flattr')),
    sa.ForeignKeyConstraint(['thing_id'], ['thing.id'], name=op.f('fk_likes_thing_id_thing')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_likes')),
    sa.UniqueConstraint('account_id', 'fact', name=op.f('uq_likes_account_id_fact'))
    )
    with op.batch_alter_table('likes', schema=None) as batch_op:
        batch_op.create_index('like_by_flattr', ['flattr_id'], unique=False)
        batch_op.create_index('like_by_thing', ['thing_id'], unique=False)
        batch_op.create_index('like_in_doubt', ['id'], unique=False, sqlite_where=sa.text('doubtful'), postgresql_where=sa.text('doubtful'))



def downgrade() -> None:
    with op.batch_alter_table('likes', schema=None) as batch_op:
        batch_op.drop_index('like_in_doubt', sqlite_where=sa.text('doubtful'), postgresql_where=sa.text('doubtful'))
        batch_op.drop_index('like_by_thing')
        batch_op.drop_index('like_by_flattr')

    op.drop_table('likes')
    with op.batch_alter_table('thing_name', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_thing_name_thing_id'))

    op.drop_table('thing_name')
    with op.batch_alter_table('flattr', schema=None) as batch_op:
        batch_op.drop_index('flattr_by_author')

    op.drop_table('flattr')
    with op.batch_alter_table('thing', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_thing_url'))

    op.drop_table('thing')
    op.drop_table('subscription')
    with op.batch_alter_table('payable', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_payable_creator_id'))

    op.drop_table('payable')
    with op.batch_alter_table('link_code', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_link_code_offered_by_id'))
        batch_op.drop_index(batch_op.f('ix_link_code_issuer_id'))

    op.drop_table('link_code')
    op.drop_table('ignore')
    op.drop_table('charge')
    with op.batch_alter_table('statement', schema=None) as batch_op:
        batch_op.drop_index('statement_under_review', sqlite_where=sa.text("state = 'review'"), postgresql_where=sa.text("state = 'review'"))
        batch_op.drop_index('statement_due', sqlite_where=sa.text("state = 'due'"), postgresql_where=sa.text("state = 'due'"))
        batch_op.drop_index('statement_by_patron')

    op.drop_table('statement')
    op.drop_table('skip')
    with op.batch_alter_table('payout', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_payout_creator_id'))

    op.drop_table('payout')
    op.drop_table('pause')
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_index('outbox_by_state')

    op.drop_table('outbox')
    op.drop_table('card')
    op.drop_table('budget')
    with op.batch_alter_table('account', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_account_person_id'))

    op.drop_table('account')
    with op.batch_alter_table('share', schema=None) as batch_op:
        batch_op.drop_index('share_by_statement')

    op.drop_table('share')
    op.drop_table('setting')
    op.drop_table('sandbox_movement')
    op.drop_table('room')
    with op.batch_alter_table('posting', schema=None) as batch_op:
        batch_op.drop_index('posting_by_debit', sqlite_where=sa.text('debit % 8 <> 2'), postgresql_where=sa.text('debit % 8 <> 2'))
        batch_op.drop_index('posting_by_credit', sqlite_where=sa.text('credit % 8 <> 2'), postgresql_where=sa.text('credit % 8 <> 2'))

    op.drop_table('posting')
    with op.batch_alter_table('person', schema=None) as batch_op:
        batch_op.drop_index('person_left', sqlite_where=sa.text('left_at is not null'), postgresql_where=sa.text('left_at is not null'))

    op.drop_table('person')
    op.drop_table('payout_run')
    op.drop_table('month')
    with op.batch_alter_table('link_failure', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_link_failure_at'))

    op.drop_table('link_failure')
    with op.batch_alter_table('inbox', schema=None) as batch_op:
        batch_op.drop_index('inbox_by_state')

    op.drop_table('inbox')
    op.drop_table('decline')
    op.drop_table('audit')
