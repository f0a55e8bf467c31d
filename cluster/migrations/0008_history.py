"""Readings of minutes, and history in chunks.

Readings of the first format (counters, kept for 48 hours) are dropped: a graph begins
anew, nothing else depends on them.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("cluster", "0007_tunnel_type"),
    ]

    operations = [
        migrations.DeleteModel("Reading"),
        migrations.CreateModel(
            name='HistoryMark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('until', models.BigIntegerField(default=0)),
                ('folds', models.BigIntegerField(default=0)),
                ('boot', models.BigIntegerField(default=0)),
                ('director', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='history_mark', to='cluster.host')),
            ],
        ),
        migrations.CreateModel(
            name='HistoryChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('group', models.CharField(max_length=128)),
                ('level', models.PositiveSmallIntegerField()),
                ('start', models.BigIntegerField()),
                ('data', models.BinaryField()),
                ('director', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='history', to='cluster.host')),
            ],
            options={
                'indexes': [models.Index(fields=['director', 'level', 'start'], name='cluster_his_directo_573e8e_idx')],
                'constraints': [models.UniqueConstraint(fields=('director', 'group', 'level', 'start'), name='history_chunk')],
            },
        ),
        migrations.CreateModel(
            name='HostEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('kind', models.CharField(choices=[('lost', 'could not be reached'), ('back', 'answers again'), ('rebooted', 'has booted')], max_length=10)),
                ('host', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='cluster.host')),
            ],
            options={
                'ordering': ['at'],
                'constraints': [models.UniqueConstraint(fields=('host', 'at', 'kind'), name='one_host_event')],
            },
        ),
        migrations.CreateModel(
            name='Reading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.FloatField()),
                ('data', models.BinaryField()),
                ('director', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='readings', to='cluster.host')),
            ],
            options={
                'ordering': ['at'],
                'indexes': [models.Index(fields=['director', 'at'], name='cluster_rea_directo_eaab2e_idx')],
            },
        ),
    ]
